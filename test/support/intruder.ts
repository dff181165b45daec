import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { setImmediate as turn } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import type { TestServer } from './server.ts';

type Values = readonly SQLInputValue[];

/** Somebody with the password of the database, and none of the keys of the house. */
export interface Intruder {
  all(sql: string, ...values: Values): readonly Record<string, SQLInputValue>[];
  /** Changes rows, one at least, and resolves in the next turn of the event loop, from which on the house sees what others have written. */
  run(sql: string, ...values: Values): Promise<void>;
}

export function intruder(t: ExecutionContext, { dataDir }: TestServer): Intruder {
  const file = new DatabaseSync(join(dataDir, 'tongban.db'), { timeout: 10_000 });
  t.teardown(() => file.close());
  return {
    all: (sql, ...values) => file.prepare(sql).all(...values) as Record<string, SQLInputValue>[],
    async run(sql, ...values) {
      t.true(Number(file.prepare(sql).run(...values).changes) > 0, sql);
      await turn();
    },
  };
}
