import { type Answer, NoAnswer } from './connection.ts';
import type { FuzzCase } from './fuzz-draft.ts';
import { INJECTED_FIELD, MARKUP_MARKER } from './fuzz-values.ts';

const ROOT = new URL('..', import.meta.url).pathname;

/** What must never be read in an answer, whoever asked: frames of a stack, paths of our disk, words of the database. */
const LEAKS: readonly RegExp[] = [
  /\bat [^\n]{0,120}?[\w./-]+\.[cm]?[jt]s:\d+:\d+/,
  /\bnode:internal\/[\w/]+/,
  /node_modules\/[\w@.-]+/,
  /\bsrc\/[\w-]+\/[\w-]+\.ts/,
  /SQLITE_[A-Z]+|no such (?:table|column)|syntax error at or near/,
  /\b(?:TypeError|ReferenceError|RangeError|SyntaxError|AssertionError)\b/,
  new RegExp(ROOT.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')),
];

/** A line on stderr that says the process lost control of an error. */
export const UNHANDLED = /unhandled|uncaught|ERR_HTTP_HEADERS_SENT|MaxListenersExceeded/i;

/** What is wrong with an answer; undefined if nothing is. The first words name the kind, for grouping. */
export function faultOfAnswer(request: FuzzCase, answer: Answer): string | undefined {
  const { status } = answer;
  if (status >= 500 && !(status === 503 && answer.header('retry-after') !== undefined)) return `status ${status}`;
  if (!(status >= 200 && status < 600)) return `impossible status ${status}`;
  if (answer.header(INJECTED_FIELD) !== undefined) return 'header injected by a line break';
  const text = answer.text;
  const html = answer.header('content-type')?.startsWith('text/html') ?? false;
  if (html && text.includes(MARKUP_MARKER)) return 'markup of the request came back unescaped';
  const sent = request.bytes.toString('latin1');
  for (const pattern of LEAKS) {
    const leaked = pattern.exec(text)?.[0];
    if (leaked !== undefined && !sent.includes(leaked)) return `leak: ${leaked.slice(0, 120)}`;
  }
  return undefined;
}

/** What is wrong with there being no answer; undefined where hanging up is an answer too. */
export function faultOfSilence(request: FuzzCase, error: unknown): string | undefined {
  if (!(error instanceof NoAnswer)) throw error;
  if (error.silent) return 'silence: no answer in time';
  return request.malformed || request.oversize ? undefined : 'reset: connection closed without an answer';
}
