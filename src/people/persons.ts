import type { BlindIndex } from '../crypto/blind-index.ts';
import type { Sealer } from '../crypto/sealing.ts';
import type { Ledger, LedgerEvent } from '../ledger/ledger.ts';
import { nowSeconds } from '../shared/clock.ts';
import { newId } from '../shared/ids.ts';
import type { Connection, Database, Transaction } from '../storage/database.ts';
import { createRowCache } from '../storage/row-cache.ts';
import { factsOf, type IdNumber, type Sex } from './id-number.ts';
import type { PersonDetails } from './person-details.ts';
import { createPersonStatuses, type PersonStatus, type PersonStatuses } from './person-status.ts';

/** How the resident ID card is named in `identity_documents`: its type and the country that issued it. */
export const RESIDENT_ID_CARD = { type: 'resident_id_card', issuer: 'CN' } as const;

export type AssuranceLevel = 0 | 1 | 2 | 3 | 4;

/** A natural person as every request needs them: nothing is unsealed for it. `updatedAt` is epoch seconds. */
export interface Person {
  readonly id: string;
  readonly status: PersonStatus;
  readonly ial: AssuranceLevel;
  readonly updatedAt: number;
}

/** A natural person with everything we know; each sealed column is opened when it is read. Never logged, never kept. */
export interface PersonProfile extends Person {
  readonly idNumber: IdNumber;
  readonly name: string;
  readonly phone: string | undefined;
  readonly email: string | undefined;
  readonly address: string | undefined;
  readonly birthDate: string;
  readonly sex: Sex;
}

/** `origin` says for the ledger who or what asked: `command`, `registration`, `demo`. */
export interface NewPerson extends PersonDetails {
  readonly idNumber: IdNumber;
  readonly ial: AssuranceLevel;
  readonly origin: string;
  /** The source that vouched for name and number, if one did. */
  readonly verifiedSource?: string;
  /** Where it was asked for, if by somebody with a browser. */
  readonly from?: Pick<LedgerEvent, 'address' | 'userAgent' | 'correlation'>;
}

export type AddOutcome =
  | { readonly ok: true; readonly person: Person }
  | { readonly ok: false; readonly reason: 'exists' };

/** Writes what must exist together with a new account, such as its password, in the same transaction. */
export type Alongside = (tx: Transaction, person: Person) => Promise<void>;

export interface Persons extends PersonStatuses {
  /**
   * Creates the account of a natural person. One ID number has one account: the unique keyed index decides, also between
   * parallel calls and nodes. The details come from `parsePersonDetails`.
   */
  add(person: NewPerson, alongside?: Alongside): Promise<AddOutcome>;
  findByIdNumber(number: IdNumber): Promise<Person | undefined>;
  find(id: string): Promise<Person | undefined>;
  profile(id: string): Promise<PersonProfile | undefined>;
}

export interface PersonsOptions {
  readonly database: Database;
  readonly sealer: Sealer;
  readonly index: BlindIndex;
  readonly ledger: Ledger;
}

/** About 10 MB of sealed rows: the people who are signing in just now. */
const ROWS_KEPT_MAX = 10_000;

export function createPersons({ database, sealer, index, ledger }: PersonsOptions): Persons {
  const indexOf = (number: IdNumber): string => index.of({ ...RESIDENT_ID_CARD, number });

  const findByIndex = async (numberIndex: string): Promise<Person | undefined> => {
    const row = await database.get<PersonRow>(SELECT_BY_INDEX, [
      RESIDENT_ID_CARD.type,
      RESIDENT_ID_CARD.issuer,
      numberIndex,
    ]);
    return row && personOf(row);
  };

  /** Sealed rows only: what is opened is never kept. */
  const rows = createRowCache<ProfileRow>(database, ROWS_KEPT_MAX);

  return {
    async add(input, alongside) {
      const numberIndex = indexOf(input.idNumber);
      if ((await findByIndex(numberIndex)) !== undefined) return { ok: false, reason: 'exists' };
      const person: Person = { id: newId('psn'), status: 'active', ial: input.ial, updatedAt: nowSeconds() };
      return database.write(async (tx): Promise<AddOutcome> => {
        await insertPerson(tx, sealer, person, input);
        if (!(await insertDocument(tx, sealer, person, input, numberIndex))) {
          await tx.run('DELETE FROM persons WHERE id = $1', [person.id]);
          return { ok: false, reason: 'exists' };
        }
        const details = { origin: input.origin, ial: input.ial };
        await ledger.append(tx, { ...input.from, type: 'person.added', personId: person.id, details });
        await alongside?.(tx, person);
        return { ok: true, person };
      });
    },

    findByIdNumber: (number) => findByIndex(indexOf(number)),
    find: (id) => findIn(database, id),

    async profile(id) {
      const row = await rows.find(id, () =>
        database.get<ProfileRow>(SELECT_PROFILE, [id, RESIDENT_ID_CARD.type, RESIDENT_ID_CARD.issuer]),
      );
      return row && new OpenedProfile(sealer, row);
    },

    ...createPersonStatuses({ database, ledger, forget: (id) => rows.forget(id) }),
  };
}

interface PersonRow {
  readonly id: string;
  readonly status: PersonStatus;
  readonly ial: number;
  readonly updated_at: number;
}

interface ProfileRow extends PersonRow {
  readonly name_sealed: Uint8Array;
  readonly phone_sealed: Uint8Array | null;
  readonly email_sealed: Uint8Array | null;
  readonly address_sealed: Uint8Array | null;
  readonly document_id: string;
  readonly number_sealed: Uint8Array;
}

type PersonColumn = 'name_sealed' | 'phone_sealed' | 'email_sealed' | 'address_sealed';

const SELECT = 'SELECT id, status, ial, updated_at FROM persons WHERE id = $1';
const SELECT_BY_INDEX = `SELECT p.id, p.status, p.ial, p.updated_at FROM identity_documents d
  JOIN persons p ON p.id = d.person_id WHERE d.type = $1 AND d.issuer = $2 AND d.number_index = $3`;
const SELECT_PROFILE = `SELECT p.id, p.status, p.ial, p.updated_at, p.name_sealed, p.phone_sealed, p.email_sealed,
  p.address_sealed, d.id AS document_id, d.number_sealed FROM persons p
  JOIN identity_documents d ON d.person_id = p.id WHERE p.id = $1 AND d.type = $2 AND d.issuer = $3`;
const INSERT_PERSON = `INSERT INTO persons
  (id, status, ial, name_sealed, phone_sealed, email_sealed, address_sealed, created_at, updated_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)`;
const INSERT_DOCUMENT = `INSERT INTO identity_documents
  (id, person_id, type, issuer, number_index, number_sealed, verified_source, created_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`;

const personContext = (column: PersonColumn, id: string): string => `persons:${column}:${id}`;
const numberContext = (documentId: string): string => `identity_documents:number_sealed:${documentId}`;

async function findIn(connection: Connection, id: string): Promise<Person | undefined> {
  const row = await connection.get<PersonRow>(SELECT, [id]);
  return row && personOf(row);
}

function insertPerson(tx: Transaction, sealer: Sealer, person: Person, details: PersonDetails): Promise<number> {
  const sealed = (column: PersonColumn, value: string | undefined) =>
    value === undefined ? null : sealer.seal(value, personContext(column, person.id));
  return tx.run(INSERT_PERSON, [
    person.id,
    person.status,
    person.ial,
    sealed('name_sealed', details.name),
    sealed('phone_sealed', details.phone),
    sealed('email_sealed', details.email),
    sealed('address_sealed', details.address),
    person.updatedAt,
  ]);
}

/** Resolves with false when the number has an account already: the unique index is the only judge. */
async function insertDocument(
  tx: Transaction,
  sealer: Sealer,
  person: Person,
  input: NewPerson,
  numberIndex: string,
): Promise<boolean> {
  const id = newId('doc');
  const inserted = await tx.run(INSERT_DOCUMENT, [
    id,
    person.id,
    RESIDENT_ID_CARD.type,
    RESIDENT_ID_CARD.issuer,
    numberIndex,
    sealer.seal(input.idNumber, numberContext(id)),
    input.verifiedSource ?? null,
    person.updatedAt,
  ]);
  return inserted === 1;
}

const personOf = (row: PersonRow): Person => ({
  id: row.id,
  status: row.status,
  ial: row.ial as AssuranceLevel,
  updatedAt: row.updated_at,
});

/** Opens each sealed column when it is first asked for: most requests need none, and few need all. */
class OpenedProfile implements PersonProfile {
  readonly id: string;
  readonly status: PersonStatus;
  readonly ial: AssuranceLevel;
  readonly updatedAt: number;
  readonly #sealer: Sealer;
  readonly #row: ProfileRow;
  #idNumber: IdNumber | undefined;
  #name: string | undefined;

  constructor(sealer: Sealer, row: ProfileRow) {
    const person = personOf(row);
    this.id = person.id;
    this.status = person.status;
    this.ial = person.ial;
    this.updatedAt = person.updatedAt;
    this.#sealer = sealer;
    this.#row = row;
  }

  get idNumber(): IdNumber {
    const { number_sealed: sealed, document_id: documentId } = this.#row;
    this.#idNumber ??= this.#sealer.unseal(sealed, numberContext(documentId)) as IdNumber;
    return this.#idNumber;
  }

  get name(): string {
    this.#name ??= this.#sealer.unseal(this.#row.name_sealed, personContext('name_sealed', this.id));
    return this.#name;
  }

  get phone(): string | undefined {
    return this.#opened('phone_sealed');
  }

  get email(): string | undefined {
    return this.#opened('email_sealed');
  }

  get address(): string | undefined {
    return this.#opened('address_sealed');
  }

  get birthDate(): string {
    return factsOf(this.idNumber).birthDate;
  }

  get sex(): Sex {
    return factsOf(this.idNumber).sex;
  }

  #opened(column: PersonColumn): string | undefined {
    const sealed = this.#row[column];
    return sealed === null ? undefined : this.#sealer.unseal(sealed, personContext(column, this.id));
  }
}
