import { type BlindIndex, settleIndex } from '../crypto/blind-index.ts';
import type { Sealer } from '../crypto/sealing.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { nowSeconds } from '../shared/clock.ts';
import { newId } from '../shared/ids.ts';
import type { Connection, Database, Transaction } from '../storage/database.ts';
import { oneOf } from '../storage/one-of.ts';
import { shareLock, updateLock } from '../storage/row-locks.ts';
import { actorOf, type By } from './by.ts';
import { COMPANY_ROW, companyRow, usccIdentity } from './company-rows.ts';
import { companyContext, openCompany } from './sealed-company.ts';
import { categoryOf, type Uscc } from './uscc.ts';

/** `suspended`: nobody may act for it until that is lifted; `deregistered`: the register says that it is no more. */
export type LegalPersonStatus = 'active' | 'suspended' | 'deregistered';

/** A legal person as every request needs it: nothing is unsealed for it. Times are epoch seconds. */
export interface LegalPerson {
  readonly id: string;
  /** Registration department and category: the first two characters of the code. */
  readonly category: string;
  readonly status: LegalPersonStatus;
  readonly suspendedCause: string | undefined;
  readonly createdAt: number;
}

/** A legal person with its code and name. Never logged. */
export interface LegalPersonProfile extends LegalPerson {
  readonly uscc: Uscc;
  readonly name: string;
}

export interface CompanyRow {
  readonly id: string;
  readonly uscc_sealed: Uint8Array;
  readonly name_sealed: Uint8Array;
  readonly category: string;
  readonly status: LegalPersonStatus;
  readonly suspended_cause: string | null;
  readonly representative_key: string | null;
  readonly created_at: number;
}

const COLUMNS = 'id, uscc_sealed, name_sealed, category, status, suspended_cause, representative_key, created_at';
const FIND = `SELECT ${COLUMNS} FROM legal_persons WHERE id = $1`;
const FIND_BY_INDEX = `SELECT ${COLUMNS} FROM legal_persons WHERE uscc_index = $1`;
const findByIndexes = oneOf((list) => `SELECT ${COLUMNS} FROM legal_persons WHERE uscc_index ${list}`, 1);
const LIST = `SELECT ${COLUMNS} FROM legal_persons WHERE id < $1 ORDER BY id DESC LIMIT $2`;
const INSERT = `${COMPANY_ROW.insert(1)} ON CONFLICT DO NOTHING`;
const RENAME = 'UPDATE legal_persons SET name_sealed = $1, updated_at = $2 WHERE id = $3';
const PAGE_MAX = 200;
/** After every id there is, in every collation. */
const LAST = 'lgp_z';

export interface CompanyParts {
  readonly database: Database;
  readonly sealer: Sealer;
  readonly index: BlindIndex;
  readonly ledger: Ledger;
}

/** The rows of legal persons. Whoever changes what hangs on one (posts, mandates) locks its row first. */
export interface Companies {
  /** The row of this code, made in this transaction where there is none. `added` tells which. */
  ensure(
    tx: Transaction,
    company: { readonly uscc: Uscc; readonly name: string; readonly origin: string },
    by: By,
  ): Promise<{ readonly row: CompanyRow; readonly added: boolean }>;
  /** The row, kept from change by others until the transaction ends. */
  lock(tx: Transaction, id: string): Promise<CompanyRow | undefined>;
  /** The row, which others may read and not change until the transaction ends. */
  share(tx: Transaction, id: string): Promise<CompanyRow | undefined>;
  find(connection: Connection, id: string): Promise<CompanyRow | undefined>;
  findByUscc(connection: Connection, uscc: Uscc): Promise<CompanyRow | undefined>;
  /** The newest first. `before` is the id of the last one of the page before. */
  list(page: { readonly before?: string | undefined; readonly limit?: number }): Promise<readonly CompanyRow[]>;
  rename(tx: Transaction, row: CompanyRow, name: string): Promise<void>;
  profileOf(row: CompanyRow): LegalPersonProfile;
  /** The keyed digest a code is found by, to be written in this transaction. */
  settled(tx: Transaction, uscc: Uscc): Promise<string>;
}

export function createCompanies({ database, sealer, index, ledger }: CompanyParts): Companies {
  const lockOne = FIND + updateLock(database.engine);
  const shareOne = FIND + shareLock(database.engine);
  const lockByIndex = FIND_BY_INDEX + updateLock(database.engine);

  return {
    settled: (tx, uscc) => settleIndex(tx, index, 'company', usccIdentity(uscc)),

    async ensure(tx, { uscc, name, origin }, by) {
      const id = newId('lgp');
      const category = categoryOf(uscc);
      const settled = await settleIndex(tx, index, 'company', usccIdentity(uscc));
      const row = companyRow({ sealer, index }, { id, uscc, name, now: nowSeconds() });
      const added = await tx.run(INSERT, row);
      if (added === 1) {
        const details = { legalPerson: id, category, origin };
        await ledger.append(tx, { type: 'legal-person.added', ...actorOf(by), details });
      }
      const found = await tx.get<CompanyRow>(lockByIndex, [settled]);
      return { row: found!, added: added === 1 };
    },

    lock: (tx, id) => tx.get(lockOne, [id]),
    share: (tx, id) => tx.get(shareOne, [id]),
    find: (connection, id) => connection.get(FIND, [id]),
    findByUscc(connection, uscc) {
      const digests = index.candidates(usccIdentity(uscc));
      return connection.get(findByIndexes(digests.length), digests);
    },
    list: ({ before = LAST, limit = PAGE_MAX }) => database.all(LIST, [before, Math.min(limit, PAGE_MAX)]),

    async rename(tx, { id }, name) {
      await tx.run(RENAME, [sealer.seal(name, companyContext('name_sealed', id)), nowSeconds(), id]);
      await ledger.append(tx, { type: 'legal-person.renamed', actor: 'system', details: { legalPerson: id } });
    },

    profileOf: (row) => ({ ...companyOf(row), ...openCompany(sealer, row.id, row) }),
  };
}

export const companyOf = (row: CompanyRow): LegalPerson => ({
  id: row.id,
  category: row.category,
  status: row.status,
  suspendedCause: row.suspended_cause ?? undefined,
  createdAt: row.created_at,
});
