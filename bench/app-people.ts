import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateSync } from 'otplib';
import { type House, openHouse } from '../src/app.ts';
import { prepareConfig } from '../src/config/prepare.ts';
import { stepState } from '../src/factors/stepped-code.ts';
import { newTotpSecret } from '../src/factors/totp.ts';
import { syntheticPerson } from '../src/people/seeding/synthetic-people.ts';
import { nowSeconds } from '../src/shared/clock.ts';
import { NO_HASH, PASSWORD, type Person } from './peers.ts';

/** Written together: they share a commit. */
const AT_ONCE = 64;
const PERIOD_SECONDS = 30;
const ORIGIN = 'bench';

/** A data folder with people of level 2, each with a password and an authenticator app (RFC 6238). */
export interface AppStore {
  readonly folder: string;
  readonly people: readonly Person[];
  readonly remove: () => Promise<void>;
}

/** Makes so many through the product's own doors, before a server opens the folder. */
export async function makeAppStore(count: number): Promise<AppStore> {
  const folder = await mkdtemp(join(tmpdir(), 'tongban-apps-'));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const env = { TONGBAN_PROFILE: 'test', TONGBAN_PASSWORD_PARALLELISM: '1' };
    const prepared = prepareConfig({ env, overrides: { dataDir: folder } });
    if (!prepared.ok) throw new Error(prepared.sentences.join('\n'));
    const { config } = prepared;
    // The schema refuses hashes that cost nothing.
    const house = await openHouse({ ...config, password: { ...config.password, ...NO_HASH } });
    try {
      return { folder, remove, people: await addPeople(house, count) };
    } finally {
      await house.close();
    }
  } catch (error) {
    await remove();
    throw error;
  }
}

async function addPeople(house: House, count: number): Promise<readonly Person[]> {
  const hash = await house.passwords.prepare(PASSWORD);
  if (hash === 'busy') throw new Error('the password could not be hashed');
  const addOne = async (place: number): Promise<Person> => {
    const { idNumber, name } = syntheticPerson(place);
    const secret = newTotpSecret();
    const state = stepState({ lastStep: 0, drift: 0 });
    const added = await house.persons.add({ idNumber, name, ial: 2, origin: ORIGIN }, async (tx, { id: personId }) => {
      await house.passwords.store(tx, personId, hash, ORIGIN);
      const app = { kind: 'totp', personId, label: 'bench', secret, state } as const;
      const bound = await house.boundFactors.bind(tx, app, { origin: ORIGIN });
      if (!bound.ok) throw new Error(bound.reason);
    });
    if (!added.ok) throw new Error(added.reason);
    return { identifier: idNumber, password: PASSWORD, code: appOf(secret) };
  };
  const people: Person[] = [];
  while (people.length < count) {
    const places = Array.from({ length: Math.min(AT_ONCE, count - people.length) }, (_, n) => people.length + n);
    people.push(...(await Promise.all(places.map(addOne))));
  }
  return people;
}

/** The next code that counts: each step once, and none further than one from the present (RFC 6238 section 5.2). */
function appOf(secret: string): () => string {
  let lastStep = 0;
  return () => {
    const present = Math.floor(nowSeconds() / PERIOD_SECONDS);
    lastStep = Math.max(present, lastStep + 1);
    if (lastStep > present + 1) throw new Error('a code counts once in half a minute: more people are needed');
    return generateSync({ secret, epoch: lastStep * PERIOD_SECONDS, period: PERIOD_SECONDS });
  };
}
