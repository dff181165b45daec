import { FAULTS, type FaultCode, type FaultEntry } from './faults.ts';

/**
 * Something that is no ordinary outcome: shown with its number and the request id, logged with its cause.
 * `operatorNote` is for the log alone; nothing of it reaches the person or the relying party.
 */
export class Fault extends Error {
  readonly code: FaultCode;
  readonly entry: FaultEntry;
  readonly retryAfterSeconds: number | undefined;

  constructor(
    code: FaultCode,
    operatorNote?: string,
    options: { readonly cause?: unknown; readonly retryAfterSeconds?: number } = {},
  ) {
    super(operatorNote ?? FAULTS[code].operator, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Fault';
    this.code = code;
    this.entry = FAULTS[code];
    this.retryAfterSeconds = options.retryAfterSeconds;
  }

  /**
   * What a command prints. Where the ledger takes no entry its cause is added: a command has no log that would hold it, and nothing can be
   * done before it is known.
   */
  get forOperator(): string {
    const { cause } = this;
    return this.code === 'ledger_unwritable' && cause instanceof Error
      ? `${this.message}\n${cause.message}`
      : this.message;
  }

  get status(): number {
    return this.entry.status;
  }
}
