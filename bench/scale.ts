import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type House, openHouse } from '../src/app.ts';
import { DEMO_PASSWORD } from '../src/commands/demo.ts';
import { prepareConfig } from '../src/config/prepare.ts';
import { scattered, syntheticPerson } from '../src/people/seeding/synthetic-people.ts';
import { monotonicMs } from '../src/shared/clock.ts';
import { median, quantile } from './measure.ts';
import { LEAST_HASH, type Started, startPeer } from './peers.ts';
import { table } from './report.ts';
import { measureRounds, type Pace, THOROUGH } from './rounds.ts';
import { SCENARIOS } from './scenarios.ts';
import { runCommand } from './server-process.ts';

/*
 * Whether finding somebody at sign-in stays as fast with a million people as with a thousand. Two stores made by `tongban demo seed`,
 * open in one process as a server has them open, are asked in turn, a few at a time, in random order.
 */

const SMALL_PEOPLE = 1_000;
const SCALE_RATIO_MAX = 1.3;
const WITH_PASSWORD = 16;
const PHONE_SHARE = 20;
const SIGN_IN_PACE: Pace = { ...THOROUGH, rounds: 3 };
const ROUNDS = 7;
const LOOKUPS_A_ROUND = 6_000;
const COLD_LOOKUPS = 1_000;
/** Asked of one store before the other has its turn: what the machine does meanwhile hits both. */
const IN_TURN = 20;
const TRIES_MAX = 100;
/** Nobody stands at a place so far out. */
const NOBODY_FROM = 1_000_000_000;

interface Latency {
  readonly p50Us: number;
  readonly p99Us: number;
}

interface ScaleRow {
  readonly name: string;
  readonly small: Latency;
  readonly large: Latency;
  /** p99 of the large store as a multiple of that of the small one. */
  readonly ratio: number;
  /** Undefined where there is no bar. */
  readonly holds: boolean | undefined;
}

interface ScaleStore {
  readonly folder: string;
  readonly people: number;
}

interface Opened extends ScaleStore {
  readonly house: House;
}

/** What is typed at a turn: always the same, and spread over all there are. */
type Typed = (people: number, turn: number) => string;

const placeOf = (people: number, turn: number): number => scattered(turn * 2_654_435 + 97) % people;

const NUMBER: Typed = (people, turn) => syntheticPerson(placeOf(people, turn)).idNumber;

const LOOK_UPS: readonly { readonly name: string; readonly typed: Typed }[] = [
  { name: 'known number', typed: NUMBER },
  {
    name: 'unknown number',
    typed: (_people, turn) => syntheticPerson(NOBODY_FROM + (scattered(turn) % NOBODY_FROM)).idNumber,
  },
  { name: 'phone', typed: (people, turn) => syntheticPerson(placeOf(people, turn)).phone },
];

/** Makes the two stores in `folder`, or takes those that a run before has left there. */
async function makeStores(folder: string, people: number): Promise<readonly [ScaleStore, ScaleStore]> {
  const stores: ScaleStore[] = [];
  for (const count of [SMALL_PEOPLE, people]) {
    const store = { folder: join(folder, `people-${count}`), people: count };
    await mkdir(store.folder, { recursive: true, mode: 0o700 });
    const env = { TONGBAN_PROFILE: 'test', TONGBAN_DATA_DIR: store.folder };
    const there = JSON.parse(await runCommand([...SEED, '--people', '0', '--json'], env)) as {
      readonly total: { readonly people: number };
    };
    if (there.total.people < count) await seed(count - there.total.people, env);
    stores.push(store);
  }
  return stores as unknown as readonly [ScaleStore, ScaleStore];
}

const SEED = ['src/main.ts', 'demo', 'seed'];

/** Lets its progress be seen: a million takes minutes. */
function seed(people: number, env: Readonly<Record<string, string>>): Promise<void> {
  const wanted = ['--people', String(people), '--companies', String(Math.floor(people / 10))];
  const extras = ['--phones', String(PHONE_SHARE), '--with-password', String(WITH_PASSWORD)];
  return new Promise((done, reject) => {
    const child = spawn(process.execPath, [...SEED, ...wanted, ...extras], {
      cwd: new URL('..', import.meta.url).pathname,
      env: { ...env },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    child.once('exit', (code) => (code === 0 ? done() : reject(new Error(`demo seed ended with ${code}`))));
  });
}

async function openStore(store: ScaleStore): Promise<Opened> {
  const prepared = prepareConfig({ env: { TONGBAN_PROFILE: 'test' }, overrides: { dataDir: store.folder } });
  if (!prepared.ok) throw new Error(prepared.sentences.join('\n'));
  return { ...store, house: await openHouse(prepared.config) };
}

async function checkStore({ house, people }: Opened): Promise<void> {
  const resolved = await house.identifiers.resolve(NUMBER(people, 0));
  if (resolved?.person === undefined) throw new Error(`nobody is found in the store of ${people} people`);
}

/** How often the scheduler took the processor from us, so far. */
const timesInterrupted = (): number => process.resourceUsage().involuntaryContextSwitches;

/**
 * A few of one store, a few of the other, until each had its number; microseconds of each, by store. Whatever ran while somebody else was given
 * the processor says how busy the machine is and nothing of us: it is passed over, and others are asked in its place.
 */
async function inTurn(
  stores: readonly Opened[],
  typed: Typed,
  count: number,
  from: number,
): Promise<readonly (readonly number[])[]> {
  const latenciesUs: number[][] = stores.map(() => []);
  for (let turn = from; latenciesUs.some(({ length }) => length < count); turn += IN_TURN) {
    if (turn - from > count * TRIES_MAX) throw new Error('the machine is too busy to measure anything');
    for (const [at, store] of stores.entries()) {
      const texts = Array.from({ length: IN_TURN }, (_text, n) => typed(store.people, turn + n));
      const interrupted = timesInterrupted();
      const fewUs: number[] = [];
      for (const text of texts) {
        const startedMs = monotonicMs();
        await store.house.identifiers.resolve(text);
        fewUs.push((monotonicMs() - startedMs) * 1000);
      }
      if (interrupted === timesInterrupted()) latenciesUs[at]!.push(...fewUs);
    }
  }
  return latenciesUs.map((us) => us.slice(0, count));
}

const latencyOf = (us: readonly number[]): Latency => ({ p50Us: quantile(us, 0.5), p99Us: quantile(us, 0.99) });

function rowOf(name: string, rounds: readonly (readonly Latency[])[], hasBar: boolean): ScaleRow {
  const middle = (at: number): Latency => ({
    p50Us: median(rounds.map((round) => round[at]!.p50Us)),
    p99Us: median(rounds.map((round) => round[at]!.p99Us)),
  });
  const [small, large] = [middle(0), middle(1)];
  const ratio = large.p99Us / small.p99Us;
  return { name, small, large, ratio, holds: hasBar ? ratio <= SCALE_RATIO_MAX : undefined };
}

/** The same files as if the machine had just started: their pages are dropped from the memory of the system, others stay. */
async function forgetPages(store: ScaleStore): Promise<void> {
  await new Promise<void>((done, reject) => {
    const args = [`if=${join(store.folder, 'tongban.db')}`, 'iflag=nocache', 'count=0'];
    spawn('dd', args, { stdio: 'ignore' })
      .once('error', reject)
      .once('exit', () => done());
  });
}

/** What a server that has been up for a day has done long since: every page was read once. */
async function readPages(store: ScaleStore): Promise<void> {
  for await (const _piece of createReadStream(join(store.folder, 'tongban.db'), { highWaterMark: 1 << 20 }));
}

/** The rows of one run: first cold, without a bar, then warm; the median of the rounds' quantiles. */
async function measureScale(stores: readonly ScaleStore[]): Promise<readonly ScaleRow[]> {
  for (const store of stores) await forgetPages(store);
  const opened: Opened[] = [];
  try {
    for (const store of stores) opened.push(await openStore(store));
    // The first calls compile the code of both; a number of the small store is all they need.
    await inTurn([opened[0]!, opened[0]!], NUMBER, LOOKUPS_A_ROUND, 0);
    for (const store of opened) await checkStore(store);
    const cold = await inTurn(opened, NUMBER, COLD_LOOKUPS, 1_000_000);
    const rows = [rowOf('known number, cold', [cold.map(latencyOf)], false)];
    for (const store of stores) await readPages(store);
    for (const { name, typed } of LOOK_UPS) {
      await inTurn(opened, typed, LOOKUPS_A_ROUND, 2_000_000);
      const rounds: (readonly Latency[])[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        process.stderr.write(`${name}, round ${round + 1} of ${ROUNDS} ...\n`);
        const from = 3_000_000 + round * LOOKUPS_A_ROUND * TRIES_MAX;
        const order = round % 2 === 0 ? opened : opened.toReversed();
        const measured = (await inTurn(order, typed, LOOKUPS_A_ROUND, from)).map(latencyOf);
        rounds.push(round % 2 === 0 ? measured : measured.toReversed());
      }
      rows.push(rowOf(name, rounds, true));
    }
    return rows;
  } finally {
    for (const { house } of opened) await house.close();
  }
}

const COLUMNS = ['look-up', 'people', 'p50 us', 'p99 us', 'p99 ratio', 'bar', 'holds'] as const;

/** The rows as lines for `table` of report.ts. */
const scaleLines = (rows: readonly ScaleRow[], people: number): readonly (readonly string[])[] => [
  [...COLUMNS],
  ...rows.flatMap(({ name, small, large, ratio, holds }) => [
    [name, String(SMALL_PEOPLE), small.p50Us.toFixed(1), small.p99Us.toFixed(1), '', '', ''],
    [
      name,
      String(people),
      large.p50Us.toFixed(1),
      large.p99Us.toFixed(1),
      ratio.toFixed(2),
      holds === undefined ? '' : `<= ${SCALE_RATIO_MAX}`,
      holds === undefined ? '' : holds ? 'yes' : 'NO',
    ],
  ]),
];

/** The whole sign-in over HTTP, by the password of the demonstration, on a server beside each store. */
async function measureSignIns(stores: readonly ScaleStore[]): Promise<ScaleRow> {
  const servers: Started[] = [];
  try {
    for (const { folder } of stores) {
      const people = Array.from({ length: WITH_PASSWORD }, (_person, at) => ({
        identifier: syntheticPerson(at).idNumber,
        password: DEMO_PASSWORD,
      }));
      const store = { folder, people };
      servers.push(await startPeer('ours', { hash: LEAST_HASH, peopleCount: 0, store }));
    }
    const scenario = SCENARIOS.find(({ name }) => name === 'sign-in, no hash')!;
    const measured = await measureRounds(scenario, servers, SIGN_IN_PACE);
    const [small, large] = measured.map(({ measured: { p50Ms, p99Ms } }) => ({
      p50Us: p50Ms * 1000,
      p99Us: p99Ms * 1000,
    }));
    return {
      name: 'whole sign-in',
      small: small!,
      large: large!,
      ratio: large!.p99Us / small!.p99Us,
      holds: undefined,
    };
  } finally {
    for (const server of servers) await server.stop();
  }
}

/** `npm run bench -- --scale`. Resolves with the exit code: 1 when the bar is missed, 2 for a number that is none. */
export async function runScale(
  people: number,
  { stores: kept, json }: { readonly stores?: string | undefined; readonly json?: string | undefined },
): Promise<number> {
  if (!Number.isInteger(people) || people < SMALL_PEOPLE) {
    process.stderr.write(`--people is a whole number from ${SMALL_PEOPLE} on.\n`);
    return 2;
  }
  const folder = kept === undefined ? await mkdtemp(join(tmpdir(), 'tongban-scale-')) : resolve(kept);
  try {
    const stores = await makeStores(folder, people);
    const rows = [...(await measureScale(stores)), await measureSignIns(stores)];
    process.stdout.write(`${table(scaleLines(rows, people))}\n`);
    if (json !== undefined) {
      const machine = { processor: cpus()[0]?.model, cores: availableParallelism(), node: process.version };
      await writeFile(json, `${JSON.stringify({ machine, people: [SMALL_PEOPLE, people], rows }, null, 2)}\n`);
    }
    return rows.some(({ holds }) => holds === false) ? 1 : 0;
  } finally {
    if (kept === undefined) await rm(folder, { recursive: true, force: true });
  }
}
