import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type House, openHouse } from '../src/app.ts';
import { prepareConfig } from '../src/config/prepare.ts';
import type { Config } from '../src/config/schema.ts';
import { parseIdNumber } from '../src/people/id-number.ts';
import { monotonicMs } from '../src/shared/clock.ts';
import { openDatabase } from '../src/storage/open.ts';
import { storeOf } from '../src/store-doors.ts';
import { drillHash } from './drill-hash.ts';
import { type Blow, createDrillReport, machineSentence, reportBlows } from './drill-report.ts';
import { startEnrolments } from './enrolments.ts';
import { eventsMissing, ledgerComplaint, reportKept, SPENT_MAX } from './kept-evidence.ts';
import { startOwnRedis } from './own-redis.ts';
import { inventedPerson } from './peers.ts';
import { endServersOnSignal, runCommand } from './server-process.ts';
import { startTwoCities } from './two-cities.ts';
import { boughtTwice, lostSessions, p99Of, reasonsOf, startLoad } from './two-node-load.ts';
import { startTwoNodes } from './two-nodes.ts';

/*
 * `npm run drill:standby -- [--rate 30] [--hash real|least]`: the plan of docs/two-cities.md with three PostgreSQL of the drill's own: a primary A, a
 * synchronous standby B, an asynchronous one C. People sign in at two nodes, accounts are opened by two houses. First A is lost and B promoted:
 * nothing that was acknowledged may be missing, and after the name of the database was moved all must go on within ten seconds. Then the line to
 * C is cut, people go on for three seconds, B is lost as well, and C takes over with a new epoch: what was there before the line was cut is
 * there, nothing of before lives on, and the witness's checkpoint tells that entries are missing. A minute and a half; says the figures, and
 * ends with 1 when one is missed.
 */

const { values } = parseArgs({
  options: { rate: { type: 'string', default: '30' }, hash: { type: 'string', default: 'real' } },
});
const HASH = drillHash(values.hash);
const RATE = Number(values.rate);
const PEOPLE = 16;
const QUIET_MS = 8_000;
const CUT_MS = 3_000;
const RECOVERED_MS_MAX = 10_000;
const ENROL_EVERY_MS = 100;
const NEWEST_NOTE = 'SELECT size, note FROM ledger_checkpoints ORDER BY size DESC LIMIT 1';

endServersOnSignal();
const folder = await mkdtemp(join(tmpdir(), 'tongban-standby-'));
const cities = await startTwoCities();
const redis = await startOwnRedis();
const identifiers = Array.from({ length: PEOPLE }, (_, n) => inventedPerson(n).identifier);
const { nodes, env, stop } = await startTwoNodes({ redisUrl: redis.url, postgresUrl: cities.url }, identifiers, HASH);
const report = createDrillReport();

function configured(): Config {
  const prepared = prepareConfig({ env });
  if (!prepared.ok) throw new Error(prepared.sentences.join('\n'));
  return prepared.config;
}
const open = (): Promise<House> => openHouse(configured());

/** What a witness has seen by now, in a folder for `audit verify --checkpoints`; gives its size. */
async function witness({ database }: House, name: string): Promise<{ readonly folder: string; readonly size: number }> {
  const newest = await database.get<{ size: number; note: string }>(NEWEST_NOTE, []);
  if (newest === undefined) throw new Error('the ledger has signed nothing yet');
  const held = join(folder, name);
  await mkdir(held);
  await writeFile(join(held, 'held.note'), newest.note);
  return { folder: held, size: newest.size };
}

async function loseTheFirst(houses: readonly [House, House]): Promise<ReturnType<typeof startLoad>> {
  const blows: Blow[] = [];
  const load = startLoad(RATE, () => nodes);
  const enrolments = startEnrolments(houses, ENROL_EVERY_MS);
  try {
    await pause(QUIET_MS);
    const held = await witness(houses[0], 'of-a');
    const atMs = monotonicMs();
    await cities.loseA();
    const promotedMs = await cities.promoteB();
    blows.push({
      name: `A lost, B promoted in ${Math.round(promotedMs)} ms and the name moved`,
      atMs,
      errorsMsMax: Math.round(promotedMs) + RECOVERED_MS_MAX,
    });
    await pause(QUIET_MS);
    await Promise.all([load.end(), enrolments.end()]);
    const failed = load.flows.filter(({ failure }) => failure !== undefined);
    report.tell(
      `${load.flows.length - failed.length} sign-ins of ${load.flows.length} begun, ${RATE} a second wanted; p99 of those done ${p99Of(load.flows)} ms`,
    );
    reportBlows(
      report,
      blows,
      failed.map(({ endedMs }) => endedMs),
    );
    await reportKept(report, load.flows, { sessions: nodes[0], codes: nodes[0] });
    const missing = await eventsMissing(houses[0], load.flows, identifiers);
    report.expect(missing === 0, `${missing} acknowledged sign-ins are not on record`);
    await enrolments.report(report, houses[0]);
    const complaint = await ledgerComplaint(env, ['--checkpoints', held.folder]);
    report.expect(
      complaint === '',
      complaint || `the ledger verifies, and holds the ${held.size} entries a witness had seen`,
    );
    for (const reason of reasonsOf(failed)) report.tell(reason);
    return load;
  } finally {
    await Promise.all([load.end(), enrolments.end()]);
  }
}

async function loseTheCity(house: House, before: ReturnType<typeof startLoad>): Promise<void> {
  if ((await cities.untilFollowed()) === 'copied anew') {
    report.tell('C had received more of A than B and could not follow it: it was copied anew');
  }
  cities.cutLineToC();
  const late = startLoad(RATE, () => nodes);
  await pause(CUT_MS);
  await late.end();
  const parsed = parseIdNumber(identifiers[0]!);
  const person = parsed.ok ? await house.persons.findByIdNumber(parsed.number) : undefined;
  await house.sessionEnds.endAll(person?.id ?? '', 'ended_by_person');
  // A checkpoint is signed within a second or two of its entries.
  await pause(CUT_MS);
  const held = await witness(house, 'of-b');
  await house.close();
  for (const node of nodes) await node.kill();
  await cities.loseB();
  const startedMs = monotonicMs();
  await cities.promoteC();
  const gone = held.size - (await entriesAtC());
  report.expect(
    gone > 0,
    `C lacks ${gone} of the ${held.size} entries that a witness had seen: what came after the cut`,
  );
  await redis.flush();
  const said = await runCommand(['src/main.js', 'restore', 'epoch'], env);
  report.tell(said.trim());
  for (const node of nodes) await node.start();
  report.tell(`C serves ${Math.round(monotonicMs() - startedMs)} ms after B was lost, without anybody's hesitation`);
  await checkTheNewEpoch(before, held);
}

/** What C holds before anybody writes to it. */
async function entriesAtC(): Promise<number> {
  const database = await openDatabase(storeOf(configured()));
  try {
    const last = await database.get<{ seq: number }>('SELECT MAX(seq) AS seq FROM ledger_entries', []);
    return Number(last?.seq ?? -1) + 1;
  } finally {
    await database.close();
  }
}

async function checkTheNewEpoch(
  before: ReturnType<typeof startLoad>,
  held: Awaited<ReturnType<typeof witness>>,
): Promise<void> {
  const kept = before.flows.flatMap(({ browser }) => browser ?? []);
  const lost = await lostSessions(nodes[1], kept);
  report.expect(lost === kept.length, `${kept.length - lost} of ${kept.length} sessions of before live on at C`);
  const spent = before.flows.flatMap(({ code }) => code ?? []).slice(-SPENT_MAX);
  const twice = await boughtTwice(nodes[0], spent);
  report.expect(twice === 0, `${twice} of ${spent.length} spent codes of before bought tokens at C`);
  const house = await open();
  try {
    const missing = await eventsMissing(house, before.flows, identifiers);
    report.expect(missing === 0, `${missing} sign-ins of before the line was cut are not on record at C`);
    const again = startLoad(PEOPLE / 2, () => nodes);
    await pause(2_000);
    await again.end();
    const failed = again.flows.filter(({ failure }) => failure !== undefined);
    report.expect(failed.length === 0, `${failed.length} of ${again.flows.length} people could not sign in anew`);
    const alone = await ledgerComplaint(env);
    report.expect(alone === '', alone || 'the ledger of C verifies by itself');
    const complaint = await ledgerComplaint(env, ['--checkpoints', held.folder]);
    report.expect(
      complaint !== '',
      'the checkpoint of the witness does not fit the ledger of C, and whoever verifies is told',
    );
  } finally {
    await house.close();
  }
}

try {
  const houses = [await open(), await open()] as const;
  const before = await loseTheFirst(houses);
  await houses[1].close();
  await loseTheCity(houses[0], before);
  report.tell(HASH.sentence);
  report.tell(machineSentence());
} finally {
  await stop();
  await redis.remove();
  await cities.remove();
  await rm(folder, { recursive: true, force: true });
}
process.exit(report.exitCode());
