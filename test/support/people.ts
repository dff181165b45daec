import { createBlindIndex } from '../../src/crypto/blind-index.ts';
import { createSealer } from '../../src/crypto/sealing.ts';
import { createPasswordFactor, type PasswordFactor, type PasswordFactorOptions } from '../../src/factors/password.ts';
import { type IdNumber, parseIdNumber } from '../../src/people/id-number.ts';
import { createPersons, type Persons } from '../../src/people/persons.ts';
import type { Database } from '../../src/storage/database.ts';
import { testLedger } from './ledger.ts';

/** Seals for tests alone. */
export const SEALER = createSealer(Buffer.alloc(32, 1));
export const PEPPER = Buffer.alloc(32, 3);
const INDEX = createBlindIndex(Buffer.alloc(32, 2));

/** Argon2id as cheap as it gets, one hash at a time: what a test counts must not wait for memory. */
export const CHEAP_PASSWORDS: PasswordFactorOptions = {
  memoryKib: 1024,
  iterations: 1,
  parallelism: 1,
  hashesAtOnce: 1,
  queueMax: 50,
  queueDeadlineMs: 30_000,
  maxLength: 256,
};

/** The number in its normal form. Throws where it is none: a test with a mistyped number would prove nothing. */
export function idNumberOf(text: string): IdNumber {
  const outcome = parseIdNumber(text);
  if (!outcome.ok) throw new Error(`${text}: ${outcome.reason}`);
  return outcome.number;
}

/** The people of this database, with a ledger beside them. */
export const testPersons = (database: Database): Persons =>
  createPersons({ database, sealer: SEALER, index: INDEX, ledger: testLedger(database) });

/** Their passwords. */
export const testPasswords = (
  database: Database,
  options: Partial<PasswordFactorOptions> = {},
  pepper: Buffer = PEPPER,
): PasswordFactor =>
  createPasswordFactor({
    database,
    ledger: testLedger(database),
    pepper,
    options: { ...CHEAP_PASSWORDS, ...options },
  });

/** Adds somebody who cannot be there yet; resolves with the id. */
export async function addPerson(persons: Persons, person: Parameters<Persons['add']>[0]): Promise<string> {
  const outcome = await persons.add(person);
  if (!outcome.ok) throw new Error(outcome.reason);
  return outcome.person.id;
}
