import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type House, openHouse } from '../src/app.ts';
import { DEMO_PASSWORD } from '../src/commands/demo.ts';
import { prepareConfig } from '../src/config/prepare.ts';
import { syntheticPerson } from '../src/people/seeding/synthetic-people.ts';
import { LEAST_HASH, type Started, startPeer } from './peers.ts';
import { measureRounds, type Pace, THOROUGH } from './rounds.ts';
import { measureLookUps, type ScaleRow, tellLookUps } from './scale-look-ups.ts';
import { SCENARIOS } from './scenarios.ts';
import { seedPeople } from './seed-people.ts';

/*
 * Whether finding somebody at sign-in stays as fast with a million people as with a thousand. Two stores made by `tongban demo seed`,
 * open in one process as a server has them open, are asked in turn, a few at a time, in random order.
 */

const SMALL_PEOPLE = 1_000;
const WITH_PASSWORD = 16;
const PHONE_SHARE = 20;
const WALKED_AT_ONCE = 4_000;
const LOOK_UP_PACE = { rounds: 7, lookUps: 6_000, cold: 1_000 } as const;
const SIGN_IN_PACE: Pace = { ...THOROUGH, rounds: 3 };

interface ScaleStore {
  readonly folder: string;
  readonly people: number;
}

/** Makes the two stores in `folder`, or takes those that a run before has left there. */
async function makeStores(folder: string, people: number): Promise<readonly [ScaleStore, ScaleStore]> {
  const stores: ScaleStore[] = [];
  for (const count of [SMALL_PEOPLE, people]) {
    const store = { folder: join(folder, `people-${count}`), people: count };
    await mkdir(store.folder, { recursive: true, mode: 0o700 });
    const env = { TONGBAN_PROFILE: 'test', TONGBAN_DATA_DIR: store.folder };
    const companies = Math.floor(count / 10);
    await seedPeople(env, { people: count, companies, phoneShare: PHONE_SHARE, withPassword: WITH_PASSWORD });
    stores.push(store);
  }
  return stores as unknown as readonly [ScaleStore, ScaleStore];
}

async function openStore(store: ScaleStore): Promise<House> {
  const prepared = prepareConfig({ env: { TONGBAN_PROFILE: 'test' }, overrides: { dataDir: store.folder } });
  if (!prepared.ok) throw new Error(prepared.sentences.join('\n'));
  return openHouse(prepared.config);
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

/** What a server that has been up for a day has done long since: every page was read once, by the system. */
async function readPages(store: ScaleStore): Promise<void> {
  for await (const _piece of createReadStream(join(store.folder, 'tongban.db'), { highWaterMark: 1 << 20 }));
}

/** What a server does by itself after its start (people/found-upkeep.ts), without the pauses. */
async function walkThrough({ persons }: House): Promise<void> {
  const { copies } = persons.found;
  for (let at: string | undefined = ''; at !== undefined; at = await copies?.walkSome(at, WALKED_AT_ONCE));
}

async function measureScale(stores: readonly [ScaleStore, ScaleStore]): Promise<readonly ScaleRow[]> {
  for (const store of stores) await forgetPages(store);
  const houses: House[] = [];
  try {
    for (const store of stores) houses.push(await openStore(store));
    const peopled = stores.map(({ people }, at) => ({ known: people, house: houses[at]! }));
    const warm = async (): Promise<void> => {
      for (const store of stores) await readPages(store);
      for (const house of houses) await walkThrough(house);
    };
    return await measureLookUps([peopled[0]!, peopled[1]!], { warm, alone: true, ...LOOK_UP_PACE });
  } finally {
    for (const house of houses) await house.close();
  }
}

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
      ratioAtLeast: 0,
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
    return await tellLookUps(rows, [SMALL_PEOPLE, people], json);
  } finally {
    if (kept === undefined) await rm(folder, { recursive: true, force: true });
  }
}
