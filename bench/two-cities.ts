import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { monotonicMs } from '../src/shared/clock.ts';
import { startMovingName } from './moving-name.ts';
import { type OwnPostgres, startOwnPostgres, startStandby } from './own-postgres.ts';

const HOST = '127.0.0.1';
const POLL_MS = 50;
const GIVEN_UP_MS = 60_000;
/** A standby that lost its connection looks again after five seconds. */
const FOLLOWS_MS = 20_000;
/** As docs/two-cities.md has it, but for the sizes. */
const SETTINGS = ['wal_level=replica', 'synchronous_commit=on', 'wal_keep_size=512MB', 'hot_standby=on'];

/** PostgreSQL in three centres: A the primary, B its synchronous standby, C the asynchronous one, and the name by which nodes reach it. */
export interface TwoCities {
  /** By the name. */
  readonly url: string;
  /** As a loss of power; from then on the name leads nowhere. */
  readonly loseA: () => Promise<void>;
  /** Makes B the primary and moves the name; gives what it took, in milliseconds. */
  readonly promoteB: () => Promise<number>;
  /**
   * Resolves when C follows B and has all of it. What reached C and not B before A was lost makes C go another way: then nothing but a new
   * copy helps.
   */
  readonly untilFollowed: () => Promise<'followed' | 'copied anew'>;
  readonly cutLineToC: () => void;
  readonly loseB: () => Promise<void>;
  readonly promoteC: () => Promise<number>;
  readonly remove: () => Promise<void>;
}

export async function startTwoCities(): Promise<TwoCities> {
  const started: OwnPostgres[] = [];
  const keep = (server: OwnPostgres): OwnPostgres => {
    started.push(server);
    return server;
  };
  const a = keep(await startOwnPostgres(SETTINGS));
  const name = await startMovingName(a.port);
  const lineToC = await startMovingName(name.port);
  await setStandby(a, 'FIRST 1 (b)');
  const b = keep(await startStandby({ host: HOST, port: a.port, name: 'b' }, SETTINGS));
  let c = keep(await startStandby({ host: HOST, port: lineToC.port, name: 'c' }, SETTINGS));
  await until('B confirms every commit', async () => (await standbys(a)).get('b')?.state === 'sync');

  const promote = async (server: OwnPostgres): Promise<number> => {
    const startedMs = monotonicMs();
    await server.promote();
    // It came along with the copy: without this every commit would wait for a standby that is not there.
    await setStandby(server, '');
    name.pointTo(server.port);
    return monotonicMs() - startedMs;
  };
  return {
    url: `postgres://postgres@${HOST}:${name.port}/test`,
    async loseA() {
      name.pointTo(undefined);
      await a.end('immediate');
    },
    promoteB: () => promote(b),
    async untilFollowed() {
      const follows = (): Promise<boolean> => standbys(b).then((known) => known.get('c')?.isEven === true);
      if (await comesTrue(follows, FOLLOWS_MS)) return 'followed';
      await c.remove();
      c = keep(await startStandby({ host: HOST, port: lineToC.port, name: 'c' }, SETTINGS));
      await until('C follows B', follows);
      return 'copied anew';
    },
    cutLineToC: () => lineToC.pointTo(undefined),
    async loseB() {
      name.pointTo(undefined);
      await b.end('immediate');
    },
    promoteC: () => promote(c),
    async remove() {
      await lineToC.close();
      await name.close();
      for (const server of started.toReversed()) await server.remove();
    },
  };
}

interface Standby {
  readonly state: string;
  /** It has replayed everything that the primary has written. */
  readonly isEven: boolean;
}

async function standbys(primary: OwnPostgres): Promise<ReadonlyMap<string, Standby>> {
  const rows = await ask(
    primary,
    `SELECT application_name AS name, sync_state AS state, replay_lsn >= pg_current_wal_lsn() AS even
     FROM pg_stat_replication WHERE state = 'streaming'`,
  );
  return new Map(rows.map(({ name, state, even }) => [String(name), { state: String(state), isEven: even === true }]));
}

async function setStandby(server: OwnPostgres, names: string): Promise<void> {
  await ask(server, `ALTER SYSTEM SET synchronous_standby_names = '${names}'`);
  await ask(server, 'SELECT pg_reload_conf()');
  // A server takes it up a moment after it was told.
  await until('the setting is taken up', async () => {
    const [row] = await ask(server, 'SHOW synchronous_standby_names');
    return row?.synchronous_standby_names === names;
  });
}

async function ask(server: OwnPostgres, statement: string): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  if (!(await comesTrue(holds, GIVEN_UP_MS))) throw new Error(`in vain: ${what}`);
}

async function comesTrue(holds: () => Promise<boolean>, withinMs: number): Promise<boolean> {
  const deadlineMs = monotonicMs() + withinMs;
  while (!(await holds())) {
    if (monotonicMs() > deadlineMs) return false;
    await pause(POLL_MS);
  }
  return true;
}
