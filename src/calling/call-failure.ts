/** Why a service outside could not be understood; a closed list, told to metrics and logs. */
export type CallTrouble =
  | 'unreachable'
  | 'timed_out'
  | 'redirected'
  | 'body_too_large'
  | 'status'
  | 'content_type'
  | 'signature'
  | 'clock'
  | 'form'
  | 'other_request';

/** Thrown on the way to a service and back; caught by its client. Holds nothing of what was asked or answered. */
export class CallFailure extends Error {
  override readonly name = 'CallFailure';
  readonly trouble: CallTrouble;

  constructor(trouble: CallTrouble, cause?: unknown) {
    super(trouble, cause === undefined ? undefined : { cause });
    this.trouble = trouble;
  }
}
