import { nowSeconds } from '../shared/clock.ts';
import type { ArtifactStore } from './artifact-store.ts';
import type { Database } from './database.ts';

/**
 * A session that was ended stays until its expiry as the mark that it is over: a slow request must not bring it back. One that expired
 * in somebody's name goes when its end was told (oidc/session-expiry.ts).
 */
const SWEEPS: readonly string[] = [
  sweepOf('sessions', 'uid', ' AND (ended_at IS NOT NULL OR account_id IS NULL)'),
  sweepOf('counters', 'name'),
];

function sweepOf(table: string, key: string, also = ''): string {
  return `DELETE FROM ${table} WHERE ${key} IN
    (SELECT ${key} FROM ${table} WHERE expires_at <= $1${also} ORDER BY expires_at LIMIT $2) AND expires_at <= $1`;
}

export interface SweeperOptions {
  readonly database: Database;
  readonly artifacts: ArtifactStore;
  readonly intervalMs: number;
  /** Rows deleted in one transaction: small, for writers wait behind it. */
  readonly batch: number;
  /** Further sweeps of the rooms above: each deletes up to `limit` rows and resolves with how many. */
  readonly others?: readonly ((limit: number) => Promise<number>)[];
  /** Looked at before each round by the clock: one process of all clears up. */
  readonly isOurs?: () => boolean;
  /** Told when a round failed; the next one tries again. */
  readonly onError?: (error: unknown) => void;
}

export interface Sweeper {
  /** Runs one round now; resolves with the number of rows deleted. */
  sweep(): Promise<number>;
  /** For metrics: rows deleted since the start. */
  swept(): number;
  /** Ends the rounds; resolves when the running one has stopped. */
  stop(): Promise<void>;
}

/** Deletes what has expired, every `intervalMs` after the end of the round before. It never keeps the process alive. */
export function startSweeper({
  database,
  artifacts,
  intervalMs,
  batch,
  others = [],
  isOurs = () => true,
  onError,
}: SweeperOptions): Sweeper {
  let stopped = false;
  let swept = 0;
  let timer: NodeJS.Timeout | undefined;
  let round: Promise<void> = Promise.resolve();

  const drain = async (deleteBatch: () => Promise<number>): Promise<number> => {
    let deleted = 0;
    for (;;) {
      const count = await deleteBatch();
      deleted += count;
      swept += count;
      if (count < batch || stopped) return deleted;
      // Requests that arrived meanwhile go first.
      await new Promise((resolve) => setImmediate(resolve));
    }
  };

  const sweep = async (): Promise<number> => {
    let deleted = await drain(() => artifacts.sweep(batch));
    for (const statement of SWEEPS) {
      deleted += await drain(() => database.run(statement, [nowSeconds(), batch]));
    }
    for (const other of others) deleted += await drain(() => other(batch));
    return deleted;
  };

  const schedule = (): void => {
    if (stopped) return;
    timer = setTimeout(() => {
      round = (isOurs() ? sweep() : Promise.resolve(0)).then(
        () => schedule(),
        (error: unknown) => {
          onError?.(error);
          schedule();
        },
      );
    }, intervalMs);
    timer.unref();
  };
  schedule();

  return {
    sweep,
    swept: () => swept,
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      await round;
    },
  };
}
