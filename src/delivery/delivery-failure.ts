/**
 * Why something could not be delivered, in words that may be stored and shown to an operator: they hold no answer of the other side,
 * no address beyond its origin and nothing personal. `permanent` ends the attempts.
 */
export class DeliveryFailure extends Error {
  readonly permanent: boolean;

  constructor(reason: string, options: { readonly permanent?: boolean; readonly cause?: unknown } = {}) {
    super(reason, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'DeliveryFailure';
    this.permanent = options.permanent ?? false;
  }
}
