import { readdirSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { prepareConfig } from '../src/config/prepare.ts';
import { monotonicMs } from '../src/shared/clock.ts';
import type { Database } from '../src/storage/database.ts';
import { openDatabase } from '../src/storage/open.ts';
import { storeOf } from '../src/store-doors.ts';
import { Browser } from './browser.ts';
import { drillHash } from './drill-hash.ts';
import { machineSentence } from './drill-report.ts';
import { ENGINES } from './engine-space.ts';
import { type Operation, openLoop, quantile } from './measure.ts';
import { LEAST_HASH, NO_HASH, type Started, startPeer } from './peers.ts';
import { CONSENT } from './scenarios.ts';
import { endServersOnSignal, residentBytes } from './server-process.ts';
import { authorizationPath, authorize, redeem } from './sign-in.ts';

/*
 * `npm run drill:soak -- [--minutes 10] [--rate 30] [--engine sqlite|postgres-redis] [--hash real|least]`: people who were never here sign in at a rate for minutes, with
 * everything that expires set to a minute or two. From the second third to the last, memory, descriptors, the rows of every table
 * that may expire, and the p99 of a sign-in must stay what they are. The ledger only grows, and so do grants' consents and browsers that are known; they are
 * told apart. Says the figures, and ends with 1 when one is missed.
 */

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    rate: { type: 'string', default: '30' },
    engine: { type: 'string', default: 'sqlite' },
    hash: { type: 'string', default: 'real' },
  },
});
const HASH = drillHash(values.hash);
const DURATION_MS = Number(values.minutes) * 60_000;
const RATE = Number(values.rate);
const LANES = 64;
const PEOPLE = 16;
const WINDOW_MS = DURATION_MS / 30;
const GROWTH_MAX = 1.1;
/** A tenth of a handful is noise. */
const ROWS_SLACK = 100;
const MEMORY_SLACK_BYTES = 16 * 1024 * 1024;
const DESCRIPTORS_SLACK = 16;
const P99_GROWTH_MAX = 1.5;

const SHORT_LIVES = {
  TONGBAN_SESSION_IDLE_SECONDS: '60',
  TONGBAN_SESSION_ABSOLUTE_SECONDS: '60',
  TONGBAN_TTL_INTERACTION_SECONDS: '60',
  TONGBAN_TTL_AUTHORIZATION_CODE_SECONDS: '30',
  TONGBAN_TTL_ACCESS_TOKEN_SECONDS: '60',
  TONGBAN_TTL_ID_TOKEN_SECONDS: '60',
  TONGBAN_TTL_REFRESH_TOKEN_SECONDS: '60',
  TONGBAN_TTL_GRANT_SECONDS: '120',
  TONGBAN_SWEEP_INTERVAL_MS: '2000',
};
/** What is kept on purpose, and how long. */
const KEPT = /^ledger_|^consent|^known_devices/;

interface Sample {
  readonly memoryBytes: number;
  readonly descriptors: number;
  readonly rows: ReadonlyMap<string, number>;
}

async function sample(server: Started, database: Database, tables: readonly string[]): Promise<Sample> {
  const { pid } = server.process;
  const rows = new Map<string, number>();
  for (const table of tables) {
    const counted = await database.get<{ count: number }>(`SELECT COUNT(*) AS count FROM ${table}`, []);
    rows.set(table, Number(counted?.count));
  }
  return { memoryBytes: residentBytes(pid), descriptors: readdirSync(`/proc/${pid}/fd`).length, rows };
}

const tablesOf = async (database: Database): Promise<readonly string[]> => {
  const statement =
    database.engine === 'sqlite'
      ? "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
      : 'SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema()';
  return (await database.all<{ name: string }>(statement, [])).map(({ name }) => name);
};

const engine = ENGINES.find((name) => name === values.engine);
if (engine === undefined) throw new Error(`--engine is one of ${ENGINES.join(', ')}`);
endServersOnSignal();
const server = await startPeer('ours', {
  hash: HASH.name === 'least' ? NO_HASH : LEAST_HASH,
  peopleCount: PEOPLE,
  engine,
  settings: SHORT_LIVES,
});
const prepared = prepareConfig({ env: server.env ?? {} });
if (!prepared.ok) throw new Error(prepared.sentences.join('\n'));
const database = await openDatabase(storeOf(prepared.config));
const samples: Sample[] = [];
const latenciesMs: number[][] = [];
let failed = 0;
try {
  const tables = await tablesOf(database);
  const lanes = Array.from({ length: LANES }, (_, lane): Operation => {
    const browser = new Browser(server.origin);
    const person = server.people[lane % PEOPLE];
    return async () => {
      browser.forget();
      try {
        const { code } = await authorize(server, browser, authorizationPath(server, CONSENT), person);
        await redeem(server, browser.connection, code);
      } catch {
        failed += 1;
      }
      return 1;
    };
  });
  const startedMs = monotonicMs();
  while (monotonicMs() - startedMs < DURATION_MS) {
    latenciesMs.push(await openLoop(lanes, RATE, WINDOW_MS));
    samples.push(await sample(server, database, tables));
    const last = samples.at(-1)!;
    const minutes = ((monotonicMs() - startedMs) / 60_000).toFixed(1);
    process.stderr.write(
      `${minutes} min: ${Math.round(last.memoryBytes / 1_048_576)} MB, ${last.descriptors} descriptors, p99 ${Math.round(quantile(latenciesMs.at(-1)!, 0.99))} ms\n`,
    );
    await pause(0);
  }
} finally {
  await database.close();
  await server.stop();
}

const third = Math.floor(samples.length / 3);
const middle = samples.slice(third, 2 * third);
const end = samples.slice(2 * third);
const mean = (of: readonly Sample[], value: (one: Sample) => number): number =>
  of.reduce((sum, one) => sum + value(one), 0) / of.length;
const missed: string[] = [];
const lines: string[] = [];
function compare(name: string, value: (one: Sample) => number, slack: number, isBound = true): void {
  const [before, after] = [mean(middle, value), mean(end, value)];
  const holds = after <= before * GROWTH_MAX + slack;
  if (isBound && !holds) missed.push(name);
  const verdict = isBound ? (holds ? 'flat' : 'GROWS') : 'kept on purpose';
  if (before > 0 || after > 0) lines.push(`  ${name}: ${Math.round(before)} -> ${Math.round(after)}, ${verdict}`);
}
compare('memory, MB', ({ memoryBytes }) => memoryBytes / 1_048_576, MEMORY_SLACK_BYTES / 1_048_576);
compare('descriptors', ({ descriptors }) => descriptors, DESCRIPTORS_SLACK);
for (const table of samples[0]?.rows.keys() ?? []) {
  compare(table, ({ rows }) => rows.get(table) ?? 0, ROWS_SLACK, !KEPT.test(table));
}
const p99 = (from: number, to: number): number => quantile(latenciesMs.slice(from, to).flat(), 0.99);
const [p99Before, p99After] = [p99(third, 2 * third), p99(2 * third, samples.length)];
if (p99After > P99_GROWTH_MAX * p99Before) missed.push('p99');
process.stdout.write(
  [
    `${latenciesMs.flat().length} sign-ins in ${values.minutes} minutes on ${engine}, ${failed} failed; the second third against the last:`,
    `  p99 of a sign-in: ${p99Before.toFixed(0)} -> ${p99After.toFixed(0)} ms`,
    ...lines,
    `  ${HASH.sentence}`,
    `  ${machineSentence()}`,
    missed.length === 0 && failed === 0
      ? 'holds'
      : `MISSED: ${[...missed, ...(failed > 0 ? ['failures'] : [])].join(', ')}`,
    '',
  ].join('\n'),
);
process.exit(missed.length === 0 && failed === 0 ? 0 : 1);
