import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { openHouse } from '../src/app.ts';
import { prepareConfig } from '../src/config/prepare.ts';
import { parseIdNumber } from '../src/people/id-number.ts';
import { syntheticPerson } from '../src/people/seeding/synthetic-people.ts';
import { monotonicMs } from '../src/shared/clock.ts';
import { REDIS_URL } from './engine-space.ts';
import { startOwnPostgres } from './own-postgres.ts';
import { inventedPerson } from './peers.ts';
import { endServersOnSignal, runCommand } from './server-process.ts';
import { boughtTwice, lostSessions, startLoad } from './two-node-load.ts';
import { startTwoNodes } from './two-nodes.ts';

/*
 * `npm run drill:postgres -- [--rate 50] [--redis redis://127.0.0.1:6379]`: people sign in at two nodes, and accounts are opened by two others, each
 * twice at once, while the PostgreSQL of the drill is restarted in order, loses its power, and is away for five seconds. After each blow
 * all must go on within ten seconds; no session may end, no code buy tokens twice, no account be lost or be there twice, and the ledger must
 * verify. Says the figures, and ends with 1 when one is missed.
 */

const { values } = parseArgs({
  options: { rate: { type: 'string', default: '50' }, redis: { type: 'string', default: REDIS_URL } },
});
const RATE = Number(values.rate);
const PEOPLE = 16;
const QUIET_MS = 12_000;
const AWAY_MS = 5_000;
const RECOVERED_MS_MAX = 10_000;
const ENROL_EVERY_MS = 100;
const SPENT_MAX = 500;

endServersOnSignal();
const postgres = await startOwnPostgres();
const { nodes, env, stop } = await startTwoNodes(
  { redisUrl: values.redis, postgresUrl: postgres.url },
  Array.from({ length: PEOPLE }, (_, n) => inventedPerson(n).identifier),
);

const prepared = prepareConfig({ env });
if (!prepared.ok) throw new Error(prepared.sentences.join('\n'));
const houses = [await openHouse(prepared.config), await openHouse(prepared.config)] as const;

type Enrolled = 'added' | 'exists' | 'failed';

/** Numbers for which somebody was told that an account is there; answers of the two that asked at once. */
const acknowledged = new Set<number>();
const bothAdded: number[] = [];
let enrolmentsFailed = 0;
async function enrolTwice(n: number): Promise<void> {
  const { idNumber, name } = syntheticPerson(n);
  const answers = await Promise.all(
    houses.map(async ({ persons }): Promise<Enrolled> => {
      try {
        const added = await persons.add({ idNumber, name, ial: 2, origin: 'drill' });
        return added.ok ? 'added' : added.reason;
      } catch {
        return 'failed';
      }
    }),
  );
  if (answers.includes('added') || answers.includes('exists')) acknowledged.add(n);
  if (answers.every((answer) => answer === 'added')) bothAdded.push(n);
  enrolmentsFailed += answers.filter((answer) => answer === 'failed').length;
}

const startedMs = monotonicMs();
const blows: { readonly name: string; readonly atMs: number }[] = [];
const strike = (name: string): void => void blows.push({ name, atMs: monotonicMs() });
let isOver = false;
const load = startLoad(RATE, () => nodes);
const enrolling = (async () => {
  const underWay: Promise<void>[] = [];
  for (let n = 0; !isOver; n += 1) {
    underWay.push(enrolTwice(n));
    await pause(ENROL_EVERY_MS);
  }
  await Promise.all(underWay);
})();

let [lost, twice, spentCount, keptCount, missing, verified, people, documents] = [0, 0, 0, 0, 0, '', 0, 0];
try {
  await pause(QUIET_MS / 2);
  strike('restart in order');
  postgres.end('fast');
  postgres.start();
  await pause(QUIET_MS);
  strike('loss of power');
  postgres.end('immediate');
  postgres.start();
  await pause(QUIET_MS);
  strike(`away for ${AWAY_MS / 1000} s`);
  postgres.end('fast');
  await pause(AWAY_MS);
  postgres.start();
  await pause(QUIET_MS);
  isOver = true;
  await Promise.all([load.end(), enrolling]);
  const spent = load.flows.flatMap(({ code }) => code ?? []).slice(-SPENT_MAX);
  spentCount = spent.length;
  twice = await boughtTwice(nodes[0], spent);
  const kept = load.flows.flatMap(({ browser }) => browser ?? []);
  keptCount = kept.length;
  lost = await lostSessions(nodes[0], kept);
  for (const n of acknowledged) {
    const parsed = parseIdNumber(syntheticPerson(n).idNumber);
    if (!parsed.ok || (await houses[0].persons.findByIdNumber(parsed.number)) === undefined) missing += 1;
  }
  const count = async (statement: string): Promise<number> =>
    Number((await houses[0].database.get<{ count: number }>(statement, []))?.count);
  people = await count('SELECT COUNT(*) AS count FROM persons');
  documents = await count('SELECT COUNT(DISTINCT person_id) AS count FROM identity_documents');
  verified = await runCommand(['src/main.ts', 'audit', 'verify', '--live', '--json'], env).then(
    () => '',
    (error: unknown) => String(error),
  );
} finally {
  isOver = true;
  await load.end();
  for (const house of houses) await house.close();
  await stop();
  await postgres.remove();
}

const failed = load.flows.filter(({ failure }) => failure !== undefined);
const windows = blows.map(({ name, atMs }, at) => {
  const untilMs = blows[at + 1]?.atMs ?? Number.POSITIVE_INFINITY;
  const errors = failed.filter(({ endedMs }) => endedMs >= atMs && endedMs < untilMs);
  const windowMs = errors.length === 0 ? 0 : Math.max(...errors.map(({ endedMs }) => endedMs)) - atMs;
  return { name, count: errors.length, windowMs, limitMs: RECOVERED_MS_MAX + (name.startsWith('away') ? AWAY_MS : 0) };
});
const early = failed.filter(({ endedMs }) => endedMs < blows[0]!.atMs).length;
process.stdout.write(
  [
    `${load.flows.length - failed.length} sign-ins of ${load.flows.length} begun in ${Math.round((monotonicMs() - startedMs) / 1000)} s, ${RATE} a second wanted; ${early} failed before the first blow`,
    ...windows.map(
      ({ name, count, windowMs }) => `${name}: ${count} failed, the last ${Math.round(windowMs)} ms after it began`,
    ),
    `${lost} of ${keptCount} sessions lost; ${twice} of ${spentCount} spent codes bought tokens again`,
    `${acknowledged.size} accounts told of, ${missing} of them missing, ${bothAdded.length} opened twice, ${enrolmentsFailed} attempts failed; ${people} people, ${documents} with a document`,
    verified === '' ? 'the ledger verifies' : `the ledger does not verify: ${verified}`,
    ...[...new Set(failed.map(({ failure }) => failure))].slice(0, 8).map((failure) => `  ${failure}`),
    '',
  ].join('\n'),
);
const late = windows.filter(({ windowMs, limitMs }) => windowMs > limitMs).length;
const wrong = early + late + lost + twice + missing + bothAdded.length + Math.abs(people - documents);
process.exit(wrong === 0 && verified === '' ? 0 : 1);
