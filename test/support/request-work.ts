import { AsyncLocalStorage } from 'node:async_hooks';
import crypto from 'node:crypto';
import { subscribe } from 'node:diagnostics_channel';
import { syncBuiltinESMExports } from 'node:module';
import { StatementSync } from 'node:sqlite';

/** What one request has made the process do, up to its answer. */
export interface Work {
  /** The texts of its statements, sorted: what runs at the same time has no order, and shares a commit or not. */
  readonly statements: readonly string[];
  readonly ciphers: number;
  readonly digests: number;
}

interface Counting {
  readonly statements: string[];
  ciphers: number;
  digests: number;
  answered: boolean;
}

/** Whatever a request starts runs in its own context; what the house does by itself runs in none. */
const contexts = new AsyncLocalStorage<Counting>();
let last: Counting | undefined;
const heard = (): Counting | undefined => {
  const counting = contexts.getStore();
  return counting?.answered === false ? counting : undefined;
};

let isListening = false;

/** To be called once, before the server is started whose work is counted; it listens to the store and the digests of this process. */
export function listenToWork(): void {
  if (isListening) return;
  isListening = true;
  subscribe('http.server.request.start', () => {
    last = { statements: [], ciphers: 0, digests: 0, answered: false };
    contexts.enterWith(last);
  });
  subscribe('http.server.response.finish', () => {
    const counting = contexts.getStore();
    if (counting) counting.answered = true;
  });
  for (const name of ['get', 'all', 'run'] as const) {
    const own = StatementSync.prototype[name] as (...values: unknown[]) => unknown;
    Object.assign(StatementSync.prototype, {
      [name](this: StatementSync, ...values: unknown[]): unknown {
        heard()?.statements.push(this.sourceSQL.replace(/\s+/g, ' '));
        return own.apply(this, values);
      },
    });
  }
  const { createCipheriv, createDecipheriv, hash } = crypto;
  const counted =
    <Args extends unknown[], Result>(what: 'ciphers' | 'digests', own: (...args: Args) => Result) =>
    (...args: Args): Result => {
      const counting = heard();
      if (counting) counting[what] += 1;
      return own(...args);
    };
  Object.assign(crypto, {
    createCipheriv: counted('ciphers', createCipheriv as (...args: unknown[]) => unknown),
    createDecipheriv: counted('ciphers', createDecipheriv as (...args: unknown[]) => unknown),
    hash: counted('digests', hash as (...args: unknown[]) => unknown),
  });
  syncBuiltinESMExports();
}

/** How writes are grouped, how others' commits are noticed, and the delivery of messages that a request only wakes: not the request's own. */
const NOT_ITS_OWN =
  /^(BEGIN|COMMIT|SAVEPOINT|RELEASE|PRAGMA|SELECT value FROM change_stamp|(SELECT|UPDATE)\b.* outbox)\b/;

/** What the last request did until it was answered. */
export function workDone(): Work {
  if (last === undefined) throw new Error('no request has come yet');
  const { statements, ciphers, digests } = last;
  return { statements: statements.filter((sql) => !NOT_ITS_OWN.test(sql)).sort(), ciphers, digests };
}
