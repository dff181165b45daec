import { type House, openHouse } from '../src/app.ts';
import { prepareConfig } from '../src/config/prepare.ts';
import { parseIdNumber } from '../src/people/id-number.ts';
import type { HashCost, Person } from './peers.ts';

/** Who and what a server is to know before it starts. */
export interface Furniture {
  /** Environment of the server. */
  readonly env: Readonly<Record<string, string>>;
  /** Also one that the schema refuses, because it costs nothing. */
  readonly hash: HashCost;
  /** All with one password. */
  readonly people: readonly Person[];
  /** The record of the portal. */
  readonly portal: Readonly<Record<string, unknown>>;
}

const ORIGIN = 'bench';
const LEVEL = 1;

/** Makes the people and the portal known through the product's own doors, before a server opens the store. */
export async function furnish({ env, hash, people, portal }: Furniture): Promise<{ id: string; secret: string }> {
  const prepared = prepareConfig({ env });
  if (!prepared.ok) throw new Error(prepared.sentences.join('\n'));
  const { config } = prepared;
  const house = await openHouse({ ...config, password: { ...config.password, ...hash } });
  try {
    const outcome = await house.relyingParties.add(portal, ORIGIN);
    if (!outcome.ok) throw new Error(JSON.stringify(outcome.faults));
    await addPeople(house, people);
    return { id: outcome.party.clientId, secret: outcome.secret ?? '' };
  } finally {
    await house.close();
  }
}

async function addPeople(house: House, people: readonly Person[]): Promise<void> {
  const [first] = people;
  if (first === undefined) return;
  const hash = await house.passwords.prepare(first.password);
  if (hash === 'busy') throw new Error('the password could not be hashed');
  const addOne = async ({ identifier }: Person, at: number): Promise<void> => {
    const parsed = parseIdNumber(identifier);
    if (!parsed.ok) throw new Error(`no such number: ${identifier}`);
    const person = { idNumber: parsed.number, name: `测试${at}`, ial: LEVEL, origin: ORIGIN } as const;
    const added = await house.persons.add(person, (tx, { id }) => house.passwords.store(tx, id, hash, ORIGIN));
    if (!added.ok) throw new Error(added.reason);
  };
  await Promise.all(people.map(addOne));
}
