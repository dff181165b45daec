import type { BlindIndex } from '../crypto/blind-index.ts';
import type { Sealer } from '../crypto/sealing.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { AssuranceLevel } from '../proofing/levels.ts';
import { nowSeconds } from '../shared/clock.ts';
import { newId } from '../shared/ids.ts';
import type { Connection, Database, Transaction } from '../storage/database.ts';
import { createRowCache } from '../storage/row-cache.ts';
import type { RowGuard } from '../storage/row-guard.ts';
import type { IdentityDocument } from './documents/document.ts';
import { factsOfDocument } from './documents/parse.ts';
import { createFoundPeople, type FoundPeople } from './found-people.ts';
import {
  type Asked,
  createHeldDocuments,
  type DocumentValidity,
  type HeldDocuments,
  insertDocument,
} from './held-documents.ts';
import { documentOfIdNumber, type IdNumber } from './id-number.ts';
import type { MaskingLevel } from './masking.ts';
import { rememberBirthdays } from './minors.ts';
import {
  type FoundPerson,
  OpenedProfile,
  type Person,
  type PersonProfile,
  type PersonRow,
  type ProfileRow,
  personOf,
  SELECT_PROFILE,
} from './person.ts';
import type { PersonDetails } from './person-details.ts';
import { createPersonLevels, type LevelFallHooks, type PersonLevels } from './person-level.ts';
import { PERSON_ROW, personRow } from './person-rows.ts';
import { createPersonStatuses, type PersonStatuses } from './person-status.ts';

/** By an ID number in normal form, or by any document `parseDocument` has read. */
type Founding =
  | { readonly idNumber: IdNumber; readonly document?: undefined }
  | { readonly document: IdentityDocument; readonly idNumber?: undefined };

interface NewPersonBase extends Partial<PersonDetails>, DocumentValidity {
  readonly ial: AssuranceLevel;
  /** Says for the ledger who or what asked: `command`, `registration`, `demo`. */
  readonly origin: string;
  /** The source that vouched for name and number, if one did. */
  readonly verifiedSource?: string;
  /** Where it was asked for, if by somebody with a browser. */
  readonly from?: Omit<Asked, 'origin'>;
}

/** Without a name for somebody who gave no plaintext identity. */
export type NewPerson = NewPersonBase & Founding;

export type AddOutcome =
  | { readonly ok: true; readonly person: Person }
  | { readonly ok: false; readonly reason: 'exists' };

/** Writes what must exist together with a new account, such as its password, in the same transaction. */
export type Alongside = (tx: Transaction, person: Person) => Promise<void>;

export interface Persons extends PersonStatuses, PersonLevels, HeldDocuments {
  /** How far a number is hidden where it need only be recognised. */
  readonly masking: MaskingLevel;
  readonly found: FoundPeople;
  /**
   * Creates the account of a natural person. One document has one account: the unique keyed index decides, also between
   * parallel calls and nodes. The details come from `parsePersonDetails`.
   */
  add(person: NewPerson, alongside?: Alongside): Promise<AddOutcome>;
  findByIdNumber(number: IdNumber): Promise<FoundPerson | undefined>;
  findByDocument(document: IdentityDocument): Promise<FoundPerson | undefined>;
  find(id: string): Promise<Person | undefined>;
  profile(id: string): Promise<PersonProfile | undefined>;
  /** To be called after the commit by whoever changed the row or a document of a person in a transaction of their own. */
  forget(id: string): void;
  /** The same of everybody, for whoever changed rows by the thousand. */
  forgetEverybody(): void;
}

export interface PersonsOptions extends LevelFallHooks {
  readonly database: Database;
  readonly sealer: Sealer;
  readonly index: BlindIndex;
  readonly ledger: Ledger;
  /** How rows are judged: people are found by copies that triggers keep. */
  readonly guard: RowGuard;
  /** How much of a number is shown where it need only be recognised; `strong` unless told otherwise. */
  readonly masking?: MaskingLevel;
}

/** About 10 MB of sealed rows: the people who are signing in just now. */
const ROWS_KEPT_MAX = 10_000;

export function createPersons(options: PersonsOptions): Persons {
  const { database, sealer, index, ledger, guard, masking = 'strong', tell, levelFell } = options;
  const found = createFoundPeople({ database, index, guard });
  const findByDocument = (document: IdentityDocument): Promise<FoundPerson | undefined> =>
    found.find('document', document);

  /** Sealed rows only: what is opened is never kept. */
  const rows = createRowCache<ProfileRow>(database, ROWS_KEPT_MAX);
  const forget = (id: string): void => rows.forget(id);

  return {
    masking,
    found,
    async add(input, alongside) {
      const document = input.document ?? documentOfIdNumber(input.idNumber);
      if ((await findByDocument(document)) !== undefined) return { ok: false, reason: 'exists' };
      const person: Person = { id: newId('psn'), status: 'active', ial: input.ial, updatedAt: nowSeconds() };
      const { origin, ial, verifiedSource, validFrom, validTo } = input;
      const proof = { level: ial, source: verifiedSource };
      return database.write(async (tx): Promise<AddOutcome> => {
        await tx.run(PERSON_ROW.insert(1), personRow(sealer, person, input));
        const added = { document, proof, validFrom, validTo };
        if ((await insertDocument(tx, { sealer, index }, person.id, added, true)) === undefined) {
          await tx.run('DELETE FROM persons WHERE id = $1', [person.id]);
          return { ok: false, reason: 'exists' };
        }
        const details = { origin, ial };
        await ledger.append(tx, { ...input.from, type: 'person.added', personId: person.id, details });
        await rememberBirthdays(tx, person.id, factsOfDocument(document).birthDate);
        await alongside?.(tx, person);
        return { ok: true, person };
      });
    },

    findByIdNumber: (number) => findByDocument(documentOfIdNumber(number)),
    findByDocument,
    find: (id) => findIn(database, id),

    async profile(id) {
      const row = await rows.find(id, () => database.get<ProfileRow>(SELECT_PROFILE, [id]));
      return row && new OpenedProfile(sealer, row, masking);
    },

    forget,
    forgetEverybody: () => rows.forgetWhere(() => true),
    ...createHeldDocuments({ database, sealer, index, ledger, forget }),
    ...createPersonStatuses({ database, ledger, forget }),
    ...createPersonLevels({ database, ledger, forget, ...(tell && { tell }), ...(levelFell && { levelFell }) }),
  };
}

const SELECT = 'SELECT id, status, ial, updated_at, fourteen_at FROM persons WHERE id = $1';

async function findIn(connection: Connection, id: string): Promise<Person | undefined> {
  const row = await connection.get<PersonRow>(SELECT, [id]);
  return row && personOf(row);
}
