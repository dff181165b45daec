import { AsyncLocalStorage } from 'node:async_hooks';
import type { SqlValue } from './database.ts';

/** The answer to a look-up, and how often it may still be used. */
interface Answer {
  readonly found: Promise<unknown>;
  uses: number;
}

/** By the text of a look-up, and then by its values: a text is a constant, and long. */
type Answers = Map<string, Map<string, Answer>>;

/** What one request has asked ahead and not used yet. */
interface Ahead {
  readonly answers: Answers;
  readonly isAsking: boolean;
}

const current = new AsyncLocalStorage<Ahead>();

/** Runs a request: what it asks ahead is kept until it is used, and with the request it is gone. */
export const withReadAhead = <T>(work: () => T): T => current.run({ answers: new Map(), isAsking: false }, work);

/**
 * Begins look-ups that this request is going to need one after the other. To a server that is a way away they are one message instead of as many: whoever
 * needs a row then finds it asked for. Each is used as often as it stands here, and asked anew after that: who begins them says how often what follows at
 * once is going to ask, and that nothing in between takes its time. Outside a request nothing happens.
 */
export function askAhead(looks: readonly (() => Promise<unknown>)[]): void {
  const ahead = current.getStore();
  if (ahead === undefined) return;
  current.run({ answers: ahead.answers, isAsking: true }, () => {
    // What fails is heard of by whoever uses it.
    for (const look of looks) look().catch(() => undefined);
  });
}

/** Something has taken its time: what this request asks from now on is asked anew. */
export const forgetAhead = (): void => current.getStore()?.answers.clear();

/** The answer to a look-up that this request has asked ahead, or that of `look`. */
export function askedAhead<T>(sql: string, params: readonly SqlValue[], look: () => Promise<T>): Promise<T> {
  const ahead = current.getStore();
  if (ahead === undefined || (!ahead.isAsking && ahead.answers.size === 0)) return look();
  const { answers } = ahead;
  const ofText = answers.get(sql);
  if (ofText === undefined && !ahead.isAsking) return look();
  const key = JSON.stringify(params);
  const early = ofText?.get(key);
  if (ahead.isAsking) {
    if (early !== undefined) {
      early.uses += 1;
      return early.found as Promise<T>;
    }
    const found = look();
    found.catch(() => undefined);
    const held = ofText ?? new Map<string, Answer>();
    held.set(key, { found, uses: 1 });
    answers.set(sql, held);
    return found;
  }
  if (ofText === undefined || early === undefined) return look();
  early.uses -= 1;
  if (early.uses === 0) ofText.delete(key);
  if (ofText.size === 0) answers.delete(sql);
  return early.found as Promise<T>;
}
