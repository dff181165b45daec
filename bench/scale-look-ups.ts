import { writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import type { House } from '../src/app.ts';
import { scattered, syntheticPerson } from '../src/people/seeding/synthetic-people.ts';
import { monotonicMs } from '../src/shared/clock.ts';
import { median, quantile } from './measure.ts';
import { table } from './report.ts';

/*
 * Look-ups of people in a small and in a large store, open in one process as a server has them open: a few of one, a few of the other, in random
 * order.
 */

const SCALE_RATIO_MAX = 1.3;
const ROUNDS = 7;
const LOOKUPS_A_ROUND = 6_000;
const COLD_LOOKUPS = 1_000;
/** Asked of one store before the other has its turn: what the machine does meanwhile hits both. */
const IN_TURN = 20;
const TRIES_MAX = 100;
/** Nobody stands at a place so far out. */
const NOBODY_FROM = 1_000_000_000;

export interface Latency {
  readonly p50Us: number;
  readonly p99Us: number;
}

export interface ScaleRow {
  readonly name: string;
  readonly small: Latency;
  readonly large: Latency;
  /** p99 of the large store as a multiple of that of the small one. */
  readonly ratio: number;
  /** Undefined where there is no bar. */
  readonly holds: boolean | undefined;
}

/** A store with so many people of `syntheticPerson`, from the first on. */
export interface PeopledStore {
  readonly people: number;
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

async function checkStore({ house, people }: PeopledStore): Promise<void> {
  const resolved = await house.identifiers.resolve(NUMBER(people, 0));
  if (resolved?.person === undefined) throw new Error(`nobody is found in the store of ${people} people`);
}

/** How often the scheduler took the processor from us, so far. */
const timesInterrupted = (): number => process.resourceUsage().involuntaryContextSwitches;

/**
 * A few of one store, a few of the other, until each had its number; microseconds of each, by store. With `alone`, whatever ran while somebody
 * else was given the processor says how busy the machine is and nothing of us: it is passed over, and others are asked in its place. A store in
 * a process of its own is somebody else.
 */
async function inTurn(
  stores: readonly PeopledStore[],
  typed: Typed,
  count: number,
  { from, alone }: { readonly from: number; readonly alone: boolean },
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
      if (!alone || interrupted === timesInterrupted()) latenciesUs[at]!.push(...fewUs);
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

/**
 * The rows of one run: first as the stores were opened, without a bar, then after `warm`, which has read what a server that has been up for a
 * day has read; the median of the rounds' quantiles. The smaller store comes first.
 */
export async function measureLookUps(
  stores: readonly [PeopledStore, PeopledStore],
  { warm, alone }: { readonly warm: () => Promise<void>; readonly alone: boolean },
): Promise<readonly ScaleRow[]> {
  // The first calls compile the code of both; a number of the small store is all they need.
  await inTurn([stores[0], stores[0]], NUMBER, LOOKUPS_A_ROUND, { from: 0, alone });
  for (const store of stores) await checkStore(store);
  const cold = await inTurn(stores, NUMBER, COLD_LOOKUPS, { from: 1_000_000, alone });
  const rows = [rowOf('known number, cold', [cold.map(latencyOf)], false)];
  await warm();
  for (const { name, typed } of LOOK_UPS) {
    await inTurn(stores, typed, LOOKUPS_A_ROUND, { from: 2_000_000, alone });
    const rounds: (readonly Latency[])[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      process.stderr.write(`${name}, round ${round + 1} of ${ROUNDS} ...\n`);
      const from = 3_000_000 + round * LOOKUPS_A_ROUND * TRIES_MAX;
      const order = round % 2 === 0 ? stores : stores.toReversed();
      const measured = (await inTurn(order, typed, LOOKUPS_A_ROUND, { from, alone })).map(latencyOf);
      rounds.push(round % 2 === 0 ? measured : measured.toReversed());
    }
    rows.push(rowOf(name, rounds, true));
  }
  return rows;
}

const COLUMNS = ['look-up', 'people', 'p50 us', 'p99 us', 'p99 ratio', 'bar', 'holds'] as const;

/** Prints the rows, and keeps them where a file is named; gives the exit code: 1 when the bar is missed. */
export async function tellLookUps(
  rows: readonly ScaleRow[],
  people: readonly [number, number],
  json: string | undefined,
): Promise<0 | 1> {
  process.stdout.write(`${table(linesOf(rows, people))}\n`);
  if (json !== undefined) {
    const machine = { processor: cpus()[0]?.model, cores: availableParallelism(), node: process.version };
    await writeFile(json, `${JSON.stringify({ machine, people, rows }, null, 2)}\n`);
  }
  return rows.some(({ holds }) => holds === false) ? 1 : 0;
}

const linesOf = (rows: readonly ScaleRow[], [few, many]: readonly [number, number]): readonly (readonly string[])[] => [
  [...COLUMNS],
  ...rows.flatMap(({ name, small, large, ratio, holds }) => [
    [name, String(few), small.p50Us.toFixed(1), small.p99Us.toFixed(1), '', '', ''],
    [
      name,
      String(many),
      large.p50Us.toFixed(1),
      large.p99Us.toFixed(1),
      ratio.toFixed(2),
      holds === undefined ? '' : `<= ${SCALE_RATIO_MAX}`,
      holds === undefined ? '' : holds ? 'yes' : 'NO',
    ],
  ]),
];
