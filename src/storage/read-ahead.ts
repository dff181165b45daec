import { AsyncLocalStorage } from 'node:async_hooks';
import type { SqlValue } from './database.ts';

/** What one request has asked ahead and not used yet, by text and values of the look-up. */
interface Ahead {
  readonly answers: Map<string, Promise<unknown>>;
  readonly isAsking: boolean;
}

const current = new AsyncLocalStorage<Ahead>();

/** Runs a request: what it asks ahead is kept until it is used once, and with the request it is gone. */
export const withReadAhead = <T>(work: () => T): T => current.run({ answers: new Map(), isAsking: false }, work);

/**
 * Begins look-ups that this request is going to need one after the other. To a server that is a way away they are one message instead of as many: whoever
 * needs a row then finds it asked for. Each is used once, and asked anew after that. Outside a request nothing happens.
 */
export function askAhead(looks: readonly (() => Promise<unknown>)[]): void {
  const ahead = current.getStore();
  if (ahead === undefined) return;
  current.run({ answers: ahead.answers, isAsking: true }, () => {
    // What fails is heard of by whoever uses it.
    for (const look of looks) look().catch(() => undefined);
  });
}

/** The answer to a look-up that this request has asked ahead, or that of `look`. */
export function askedAhead<T>(sql: string, params: readonly SqlValue[], look: () => Promise<T>): Promise<T> {
  const ahead = current.getStore();
  if (ahead === undefined || (!ahead.isAsking && ahead.answers.size === 0)) return look();
  const key = JSON.stringify([sql, params]);
  const { answers } = ahead;
  if (ahead.isAsking) {
    const answer = look();
    answer.catch(() => undefined);
    answers.set(key, answer);
    return answer;
  }
  const early = answers.get(key);
  if (early === undefined) return look();
  answers.delete(key);
  return early as Promise<T>;
}
