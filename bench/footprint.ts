import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { Browser } from './browser.ts';
import { closedLoop, type Operation } from './measure.ts';
import { type OwnPostgres, startOwnPostgres } from './own-postgres.ts';
import { startOwnRedis } from './own-redis.ts';
import { NO_HASH, type Started, startPeer } from './peers.ts';
import { CONSENT, SCENARIOS, type Scenario } from './scenarios.ts';
import { processorMicroseconds } from './server-process.ts';
import { authorizationPath, authorize, redeem } from './sign-in.ts';

/*
 * `npm run bench -- --footprint`: what sign-ins, single sign-ons, refreshes and userinfo take of the node, of PostgreSQL and of Redis, in processor time of
 * each, and what is left of a sign-in in their tables. Both servers are the measurement's own. The figures of docs/capacity.md are from here.
 */

const LANES = 16;
const ROUND_MS = 8_000;
const WARM_UP_MS = 3_000;
const SIGN_INS = 1_000;
const ACTIONS = ['sign-in, no hash', 'SSO', 'refresh', 'userinfo', 'client_credentials'];

interface Costs {
  readonly action: string;
  readonly perSecond: number;
  readonly nodeMicroseconds: number;
  readonly postgresMicroseconds: number;
  readonly redisMicroseconds: number;
  readonly walBytes: number;
}

interface Servers {
  readonly server: Started;
  readonly postgres: OwnPostgres;
  readonly redisPid: number;
  readonly client: pg.Client;
}

async function measureAction(scenario: Scenario, { server, postgres, redisPid, client }: Servers): Promise<Costs> {
  const operations: Operation[] = [];
  for (let lane = 0; lane < LANES; lane += 1) operations.push(await scenario.prepare(server, lane));
  await closedLoop(server.process.pid, operations, WARM_UP_MS);
  const read = async () => ({
    postgres: postgres.processorMicroseconds(),
    redis: processorMicroseconds(redisPid),
    wal: Number((await client.query("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') AS wal")).rows[0].wal),
  });
  const before = await read();
  let count = 0;
  const counted = operations.map(
    (operate): Operation =>
      async () => {
        count += 1;
        return operate();
      },
  );
  const measured = await closedLoop(server.process.pid, counted, ROUND_MS);
  const after = await read();
  return {
    action: scenario.name,
    perSecond: measured.operationsPerSecond,
    nodeMicroseconds: measured.cpuMicroseconds,
    postgresMicroseconds: (after.postgres - before.postgres) / count,
    redisMicroseconds: (after.redis - before.redis) / count,
    walBytes: (after.wal - before.wal) / count,
  };
}

async function tableBytes(client: pg.Client): Promise<ReadonlyMap<string, { bytes: number; rows: number }>> {
  await client.query('VACUUM ANALYZE');
  const { rows } = await client.query(
    `SELECT c.relname AS name, pg_total_relation_size(c.oid) AS bytes, greatest(c.reltuples, 0) AS count
     FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace::regnamespace::text = 'public'`,
  );
  return new Map(rows.map(({ name, bytes, count }) => [name, { bytes: Number(bytes), rows: Number(count) }]));
}

/** What a thousand sign-ins at a portal leave in each table, bytes and rows of one. Throws where no table has grown: then it has looked at another database. */
async function measureRemains(server: Started): Promise<readonly string[]> {
  const client = new pg.Client({ connectionString: server.env?.TONGBAN_DATABASE_URL });
  await client.connect();
  try {
    return await remainsIn(client, server);
  } finally {
    await client.end();
  }
}

async function remainsIn(client: pg.Client, server: Started): Promise<readonly string[]> {
  const before = await tableBytes(client);
  for (let n = 0; n < SIGN_INS; n += 1) {
    const browser = new Browser(server.origin);
    const query = { ...CONSENT, scope: 'openid profile offline_access' };
    const person = server.people[n % server.people.length];
    const { code } = await authorize(server, browser, authorizationPath(server, query), person);
    await redeem(server, browser.connection, code);
    browser.connection.close();
  }
  // The ledger's entries are numbered and its checkpoints signed a moment later.
  await pause(3_000);
  const after = await tableBytes(client);
  const lines = [...after].flatMap(([name, { bytes, rows }]) => {
    const grown = bytes - (before.get(name)?.bytes ?? 0);
    const more = rows - (before.get(name)?.rows ?? 0);
    if (grown <= 0 || more <= 0) return [];
    const each = `${Math.round(grown / more)} bytes a row`;
    return [
      `  ${name}: ${(grown / SIGN_INS).toFixed(0)} bytes and ${(more / SIGN_INS).toFixed(2)} rows a sign-in, ${each}`,
    ];
  });
  if (lines.length === 0) throw new Error('no table has grown by a thousand sign-ins');
  return lines;
}

/** Prints the figures; resolves when both servers are gone. */
export async function printFootprint(): Promise<void> {
  const postgres = await startOwnPostgres();
  const redis = await startOwnRedis();
  const client = new pg.Client({ connectionString: postgres.url });
  try {
    await client.connect();
    const engine = { postgresUrl: postgres.url, redisUrl: redis.url };
    const server = await startPeer('ours', { hash: NO_HASH, peopleCount: LANES, engine });
    try {
      const servers = { server, postgres, redisPid: redis.pid(), client };
      const lines = ['processor time in us of: node, PostgreSQL, Redis; bytes of write-ahead log; operations a second'];
      for (const scenario of SCENARIOS.filter(({ name }) => ACTIONS.includes(name))) {
        const cost = await measureAction(scenario, servers);
        const figures = [cost.nodeMicroseconds, cost.postgresMicroseconds, cost.redisMicroseconds, cost.walBytes];
        lines.push(
          `  ${cost.action}: ${figures.map((figure) => figure.toFixed(0)).join(', ')}; ${cost.perSecond.toFixed(0)}/s`,
        );
      }
      lines.push(`left of a sign-in with a refresh token, PostgreSQL:`, ...(await measureRemains(server)));
      process.stdout.write(`${lines.join('\n')}\n`);
    } finally {
      await server.stop();
    }
  } finally {
    await client.end();
    await redis.remove();
    await postgres.remove();
  }
}
