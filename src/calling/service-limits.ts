import type { BulkheadRules } from './bulkhead.ts';
import type { CircuitRules } from './circuit.ts';

/** The settings every service outside has, whatever it is asked. */
export interface ServiceSettings extends BulkheadRules {
  readonly circuitFailuresMax: number;
  readonly circuitOpenMs: number;
  readonly circuitTrials: number;
}

/** The limits of calls to a service, out of its section of the configuration. */
export const limitsOf = (
  settings: ServiceSettings,
): { readonly circuit: CircuitRules; readonly bulkhead: BulkheadRules } => ({
  circuit: {
    failuresMax: settings.circuitFailuresMax,
    openMs: settings.circuitOpenMs,
    trialsToClose: settings.circuitTrials,
  },
  bulkhead: {
    inFlightMax: settings.inFlightMax,
    queueMax: settings.queueMax,
    queueDeadlineMs: settings.queueDeadlineMs,
  },
});
