import { z } from 'zod';
import { CallFailure, type CallTrouble } from './call-failure.ts';

/**
 * The guarded client of the composition root: one origin, no redirects, a deadline over the whole exchange, so many bytes. Rejects
 * with an error whose `reason` says why.
 */
export type GuardedFetch = (url: string, options: RequestInit) => Promise<Response>;

/** An answer with status 200 that calls itself JSON: its text as it came, and its headers. */
export interface JsonAnswer {
  readonly text: string;
  readonly headers: Headers;
}

const JSON_TYPE = /^application\/json\s*(;|$)/i;

/** Posts one JSON text. Rejects with `CallFailure` for every answer but 200 with JSON in UTF-8. */
export async function postJson(
  fetch: GuardedFetch,
  url: string,
  body: string,
  headers: Readonly<Record<string, string>>,
): Promise<JsonAnswer> {
  let answer: Response;
  try {
    answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json', ...headers },
      body,
    });
  } catch (error) {
    throw new CallFailure(troubleOf(error), error);
  }
  if (answer.status !== 200) throw new CallFailure('status');
  if (!JSON_TYPE.test(answer.headers.get('content-type') ?? '')) throw new CallFailure('content_type');
  return { text: await textOf(answer), headers: answer.headers };
}

const ENVELOPE = z.looseObject({ requestId: z.string().max(64) });

/**
 * The answer in an answer's text, in the form of `form`. Rejects with `CallFailure` when it is none, or names another request: a
 * mixed-up answer of a gateway must not be taken for this one.
 */
export function answerIn<Answer>(text: string, requestId: string, form: z.ZodType<Answer>): Answer {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new CallFailure('form', error instanceof SyntaxError ? undefined : error);
  }
  const envelope = ENVELOPE.safeParse(parsed);
  const answer = form.safeParse(parsed);
  if (!envelope.success || !answer.success) throw new CallFailure('form');
  if (envelope.data.requestId !== requestId) throw new CallFailure('other_request');
  return answer.data;
}

/** Bytes that are no UTF-8 are no answer: a reader that repairs them would read another text than was signed. */
async function textOf(answer: Response): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(await answer.arrayBuffer());
  } catch (error) {
    throw new CallFailure('form', error);
  }
}

const KNOWN: ReadonlySet<unknown> = new Set<CallTrouble>(['timed_out', 'redirected', 'body_too_large']);

function troubleOf(error: unknown): CallTrouble {
  const reason = error instanceof Error && 'reason' in error ? error.reason : undefined;
  return KNOWN.has(reason) ? (reason as CallTrouble) : 'unreachable';
}
