import type { Transaction } from '../storage/database.ts';
import type { Attempts } from './attempts.ts';
import type { BoundFactors, FactorRecord } from './bound-factors.ts';
import type { Factor, FactorKind, FactorStrength, FactorVerdict } from './factor.ts';
import { guarded } from './factor-attempts.ts';

/**
 * Where a device that counts time stands: the last step whose code was accepted, and by how many steps its clock is ahead of ours.
 * Kept as `state` of the bound factor.
 */
export interface StepState {
  readonly lastStep: number;
  readonly drift: number;
}

export const stepState = ({ lastStep, drift }: StepState): string => `${lastStep} ${drift}`;

export function readStepState(state: string): StepState {
  const [lastStep = 0, drift = 0] = state.split(' ').map(Number);
  return { lastStep, drift };
}

/** Finds the step that what was entered belongs to, near the present one of the device; undefined for none. Pure but for the clock. */
export type StepOf = (
  record: FactorRecord,
  entered: Readonly<Record<string, string>>,
  drift: number,
) => number | undefined;

export interface SteppedCodeOptions {
  readonly kind: FactorKind;
  readonly amr: readonly string[];
  readonly strength: FactorStrength;
  readonly boundFactors: BoundFactors;
  readonly attempts: Attempts;
  readonly stepOf: StepOf;
  /** Whether the latest code that was entered belongs to a step after `lastStep` that is too far away to count by itself. */
  readonly isAstray?: (record: FactorRecord, entered: Readonly<Record<string, string>>, lastStep: number) => boolean;
  /** How far a device is ahead once a code of this step was accepted. */
  readonly driftAfter: (record: FactorRecord, step: number) => number;
}

/**
 * A factor whose code changes with time. Of each device a step is accepted once and never one before it, which the state decides
 * for all sessions and nodes (D10, RFC 6238 5.2).
 */
export function createSteppedCode(options: SteppedCodeOptions): Factor {
  const { kind, amr, strength, boundFactors, attempts, stepOf, isAstray, driftAfter } = options;

  const judge = (records: readonly FactorRecord[], entered: Readonly<Record<string, string>>): FactorVerdict => {
    let replayed = false;
    for (const record of records) {
      const { lastStep, drift } = readStepState(record.state);
      const step = stepOf(record, entered, drift);
      if (step === undefined) continue;
      if (step <= lastStep) {
        replayed = true;
        continue;
      }
      const next = stepState({ lastStep: step, drift: driftAfter(record, step) });
      const write = (tx: Transaction): Promise<boolean> => boundFactors.use(tx, record.id, record.state, next);
      return { state: 'proven', factorId: record.id, amr, write };
    }
    if (replayed) return { state: 'replayed' };
    const astray = records.some((record) => isAstray?.(record, entered, readStepState(record.state).lastStep));
    return { state: astray ? 'astray' : 'mismatch' };
  };

  return {
    kind,
    amr,
    strength,
    needsScript: false,
    async boundTo(personId) {
      return (await boundFactors.list(personId)).filter((factor) => factor.kind === kind);
    },
    async begin({ personId }) {
      const isBound = (await boundFactors.kindsOf(personId)).has(kind);
      return isBound ? { state: 'ready', shown: {} } : { state: 'unavailable' };
    },
    verify: (use, entered) =>
      guarded(attempts, 'second_factor', use, async () =>
        judge(await boundFactors.records(use.personId, kind), entered),
      ),
  };
}
