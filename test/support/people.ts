import { createBlindIndex } from '../../src/crypto/blind-index.ts';
import { hmacKey, hmacSm3 } from '../../src/crypto/digests.ts';
import { onePepper } from '../../src/crypto/peppers.ts';
import { createSealer } from '../../src/crypto/sealing.ts';
import {
  createPasswordFactor,
  type PasswordFactor,
  type PasswordFactorOptions,
  type StaffPasswords,
} from '../../src/factors/password.ts';
import type { IdentityDocument } from '../../src/people/documents/document.ts';
import { parseDocument } from '../../src/people/documents/parse.ts';
import { type IdNumber, parseIdNumber } from '../../src/people/id-number.ts';
import {
  type IdentifierType,
  parseIdentifier,
  type SignInIdentifier,
} from '../../src/people/identifiers/identifier.ts';
import { createIdentifiers, type Identifiers } from '../../src/people/identifiers.ts';
import type { LevelFallHooks } from '../../src/people/person-level.ts';
import { createPersons, type Persons } from '../../src/people/persons.ts';
import { isStaffMember } from '../../src/people/staff.ts';
import type { Database } from '../../src/storage/database.ts';
import type { RowGuard, RowSeals } from '../../src/storage/row-guard.ts';
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
  history: 0,
  ageDays: 0,
};

const FOUND_KEY = hmacKey(Buffer.alloc(32, 4));
const foundSeal: RowSeals['seal'] = ({ table }, values) => hmacSm3(FOUND_KEY, JSON.stringify([table, ...values]));
/** For stores whose rows are not under seal, but for the copies people are found by. */
export const FOUND_GUARD: RowGuard = {
  seals: {
    seal: foundSeal,
    isRight: (guarded, values, seal) => Buffer.from(seal as Uint8Array).equals(foundSeal(guarded, values)),
  },
  tell: (place) => {
    throw new Error(`${place} is altered`);
  },
  refuses: true,
};

/** The number in its normal form. Throws where it is none: a test with a mistyped number would prove nothing. */
export function idNumberOf(text: string): IdNumber {
  const outcome = parseIdNumber(text);
  if (!outcome.ok) throw new Error(`${text}: ${outcome.reason}`);
  return outcome.number;
}

/** The people of this database, with a ledger beside them. */
export const testPersons = (database: Database, hooks: LevelFallHooks = {}): Persons =>
  createPersons({ database, sealer: SEALER, index: INDEX, ledger: testLedger(database), guard: FOUND_GUARD, ...hooks });

/** What the passwords of staff are held to, as shipped. */
export const STAFF_PASSWORDS: StaffPasswords = { ageDays: 90, history: 5, isMember: isStaffMember };

/** Their passwords. */
export const testPasswords = (
  database: Database,
  options: Partial<PasswordFactorOptions> = {},
  pepper: Buffer = PEPPER,
): PasswordFactor =>
  createPasswordFactor({
    database,
    ledger: testLedger(database),
    peppers: onePepper(pepper),
    options: { ...CHEAP_PASSWORDS, ...options },
    breached: { has: async () => false },
    staff: STAFF_PASSWORDS,
  });

/** Adds somebody who cannot be there yet; resolves with the id. */
export async function addPerson(persons: Persons, person: Parameters<Persons['add']>[0]): Promise<string> {
  const outcome = await persons.add(person);
  if (!outcome.ok) throw new Error(outcome.reason);
  return outcome.person.id;
}

/** A document in normal form. Throws where it is none. */
export function documentOf(type: string, number: string, issuer = 'CN'): IdentityDocument {
  const outcome = parseDocument(type, issuer, number);
  if (!outcome.ok) throw new Error(`${type} ${number}: ${outcome.reason}`);
  return outcome.document;
}

/** A phone, mailbox or user name in normal form. Throws where it is none. */
export function identifierOf(type: IdentifierType, typed: string): SignInIdentifier {
  const outcome = parseIdentifier(type, typed);
  if (!outcome.ok) throw new Error(`${type} ${typed}: ${outcome.reason}`);
  return outcome.identifier;
}

/** Who lost what, in order. */
export type Losses = (readonly [personId: string, type: string])[];

/** The people of this database with what they sign in by; whoever loses a phone or mailbox is noted in `losses`. */
export function testIdentifiers(database: Database, persons: Persons, losses: Losses = []): Identifiers {
  return createIdentifiers({
    database,
    sealer: SEALER,
    index: INDEX,
    ledger: testLedger(database),
    persons,
    tellLoss: async (_tx, personId, type) => {
      losses.push([personId, type]);
    },
  });
}
