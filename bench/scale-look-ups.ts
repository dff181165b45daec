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
/** How sure the rounds must be, one with another, before a bar counts as missed: that often by chance, were it held. */
const DOUBT_MAX = 0.01;
/** Where a look-up takes so many times as long in the larger store, an index is missing, and further rounds tell nothing. */
const HOPELESS_RATIO = 5;
/** So many tell that. */
const PROBED = 100;
const COMPILED_AFTER = 6_000;
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
  /** p99 of the large store as a multiple of that of the small one, in the middle round. */
  readonly ratio: number;
  /** What it is at least, beyond reasonable doubt: the rounds agree on that. */
  readonly ratioAtLeast: number;
  /** Undefined where there is no bar. */
  readonly holds: Verdict | undefined;
}

/** `unsure`: above the bar in the middle round, but the rounds do not agree on that. */
export type Verdict = 'yes' | 'unsure' | 'NO';

/** A store in which so many people can be asked for, those of `syntheticPerson` from the first on. */
export interface PeopledStore {
  readonly known: number;
  readonly house: House;
}

export interface LookUpPace {
  readonly rounds: number;
  /** Of each store in each round. */
  readonly lookUps: number;
  /** Of each store before `warm`. */
  readonly cold: number;
}

/** What is typed at a turn: always the same, and spread over all there are. */
type Typed = (known: number, turn: number) => string;

const placeOf = (known: number, turn: number): number => scattered(turn * 2_654_435 + 97) % known;

const NUMBER: Typed = (known, turn) => syntheticPerson(placeOf(known, turn)).idNumber;

const LOOK_UPS: readonly { readonly name: string; readonly typed: Typed }[] = [
  { name: 'known number', typed: NUMBER },
  {
    name: 'unknown number',
    typed: (_known, turn) => syntheticPerson(NOBODY_FROM + (scattered(turn) % NOBODY_FROM)).idNumber,
  },
  { name: 'phone', typed: (known, turn) => syntheticPerson(placeOf(known, turn)).phone },
];

async function checkStore({ house, known }: PeopledStore): Promise<void> {
  const resolved = await house.identifiers.resolve(NUMBER(known, 0));
  if (resolved?.person === undefined) throw new Error(`nobody is found in the store of ${known} known people`);
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
      const texts = Array.from({ length: IN_TURN }, (_text, n) => typed(store.known, turn + n));
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

/**
 * The largest figure that the median is not below, but for a doubt of `DOUBT_MAX`, whatever the distribution: the k-th smallest, where so few as
 * fewer than k of n fair coins hardly ever fall on one side (the sign test). 0 where so few rounds cannot tell.
 */
export function medianAtLeast(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  let chance = 0.5 ** sorted.length;
  let doubt = chance;
  let rank = 0;
  while (doubt <= DOUBT_MAX) {
    rank += 1;
    chance *= (sorted.length - rank + 1) / rank;
    doubt += chance;
  }
  return sorted[rank - 1] ?? 0;
}

const verdictOf = (ratio: number, ratioAtLeast: number): Verdict => {
  if (ratio <= SCALE_RATIO_MAX) return 'yes';
  return ratioAtLeast <= SCALE_RATIO_MAX ? 'unsure' : 'NO';
};

type Round = readonly [Latency, Latency];

const isHopeless = ([small, large]: Round): boolean => large.p50Us > HOPELESS_RATIO * small.p50Us;

/** Each round is a comparison by itself: what the machine does meanwhile hits both stores. */
function rowOf(name: string, rounds: readonly Round[], hasBar: boolean): ScaleRow {
  const middle = (at: 0 | 1): Latency => ({
    p50Us: median(rounds.map((round) => round[at].p50Us)),
    p99Us: median(rounds.map((round) => round[at].p99Us)),
  });
  const ratios = rounds.map(([small, large]) => large.p99Us / small.p99Us);
  const ratio = median(ratios);
  const ratioAtLeast = rounds.some(isHopeless) ? ratio : medianAtLeast(ratios);
  const holds = hasBar ? verdictOf(ratio, ratioAtLeast) : undefined;
  return { name, small: middle(0), large: middle(1), ratio, ratioAtLeast, holds };
}

type Stores = readonly [PeopledStore, PeopledStore];

export interface LookUpConditions extends LookUpPace {
  /** Reads what a server that has been up for a day has read. */
  readonly warm: () => Promise<void>;
  readonly alone: boolean;
}

/**
 * The rows of one run: first as the stores were opened, without a bar, then after `warm`; the middle of the rounds. The smaller store comes
 * first.
 */
export async function measureLookUps(stores: Stores, conditions: LookUpConditions): Promise<readonly ScaleRow[]> {
  const { warm, alone, cold: coldLookUps } = conditions;
  // The first calls compile the code of both; a number of the small store is all they need.
  await inTurn([stores[0], stores[0]], NUMBER, COMPILED_AFTER, { from: 0, alone });
  for (const store of stores) await checkStore(store);
  const cold = await inTurn(stores, NUMBER, coldLookUps, { from: 1_000_000, alone });
  const rows = [rowOf('known number, cold', [roundOf(cold)], false)];
  await warm();
  for (const { name, typed } of LOOK_UPS) {
    process.stderr.write(`${name}: ${conditions.rounds} rounds ...\n`);
    rows.push(rowOf(name, await roundsOf(stores, typed, conditions), true));
  }
  return rows;
}

const roundOf = (us: readonly (readonly number[])[]): Round => [latencyOf(us[0]!), latencyOf(us[1]!)];

async function roundsOf(
  stores: Stores,
  typed: Typed,
  { rounds: count, lookUps, alone }: LookUpConditions,
): Promise<readonly Round[]> {
  const probe = roundOf(await inTurn(stores, typed, PROBED, { from: 1_500_000, alone }));
  if (isHopeless(probe)) return [probe];
  await inTurn(stores, typed, lookUps, { from: 2_000_000, alone });
  const rounds: Round[] = [];
  for (let round = 0; round < count; round += 1) {
    const from = 3_000_000 + round * lookUps * TRIES_MAX;
    const order = round % 2 === 0 ? stores : stores.toReversed();
    const measured = await inTurn(order, typed, lookUps, { from, alone });
    rounds.push(roundOf(round % 2 === 0 ? measured : measured.toReversed()));
  }
  return rounds;
}

const COLUMNS = ['look-up', 'people', 'p50 us', 'p99 us', 'p99 ratio', 'at least', 'bar', 'holds'] as const;

/** Prints the rows, and keeps them where a file is named; gives the exit code: 1 when the bar is missed beyond doubt. */
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
  return rows.some(({ holds }) => holds === 'NO') ? 1 : 0;
}

const linesOf = (rows: readonly ScaleRow[], [few, many]: readonly [number, number]): readonly (readonly string[])[] => [
  [...COLUMNS],
  ...rows.flatMap(({ name, small, large, ratio, ratioAtLeast, holds }) => [
    [name, String(few), small.p50Us.toFixed(1), small.p99Us.toFixed(1), '', '', '', ''],
    [
      name,
      String(many),
      large.p50Us.toFixed(1),
      large.p99Us.toFixed(1),
      ratio.toFixed(2),
      holds === undefined ? '' : ratioAtLeast.toFixed(2),
      holds === undefined ? '' : `<= ${SCALE_RATIO_MAX}`,
      holds ?? '',
    ],
  ]),
];
