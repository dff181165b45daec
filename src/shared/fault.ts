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

/** What stands in the store is not as this house wrote it. Whoever walks over many rows goes past such a one: it has been told of, and is refused. */
export const isAltered = (error: unknown): boolean =>
  error instanceof Fault && (error.code === 'sealed_data_altered' || error.code === 'row_altered');

/** What `work` resolves with; undefined where it came upon something altered. */
export async function unlessAltered<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (isAltered(error)) return undefined;
    throw error;
  }
}
