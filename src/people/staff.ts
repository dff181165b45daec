import type { Ledger } from '../ledger/ledger.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { Connection, Database, Transaction } from '../storage/database.ts';
import { UNJUDGED } from '../storage/guarded-statements.ts';
import { updateLock } from '../storage/row-locks.ts';

/**
 * The three administrators of MLPS level 3 (GB/T 22239-2019, 8.1.5.1 to 8.1.5.3) and those who serve people. They exclude each other: an
 * account holds one.
 */
export const STAFF_ROLES = ['system', 'security', 'audit', 'counter'] as const;
export type StaffRole = (typeof STAFF_ROLES)[number];

export interface StaffMember {
  readonly personId: string;
  readonly role: StaffRole;
  readonly status: 'active' | 'disabled';
  /** Epoch seconds. */
  readonly addedAt: number;
  /** Under which account of the machine they give commands, where that was said. */
  readonly account?: string;
}

/** `same`: it is so already. `taken`: the account of the machine is another member's. */
export type StaffOutcome = 'done' | 'same' | 'unknown' | 'taken';

/**
 * Which people work here, and as what. A member of staff signs in as the person they are, with the factors they have bound; what they
 * may do, and from where and when, hangs on this. Every change is an event in the same transaction.
 */
export interface Staff {
  /** `unknown`: there is no such person, or the account is shut. `same`: a member already, whatever the role. */
  add(personId: string, role: StaffRole, origin: string): Promise<StaffOutcome>;
  setRole(personId: string, role: StaffRole, origin: string): Promise<StaffOutcome>;
  /** Afterwards the caller ends the sessions of whoever was disabled. */
  setStatus(personId: string, status: StaffMember['status'], origin: string): Promise<StaffOutcome>;
  /** Under which account of the machine this member gives commands; undefined for none in particular. */
  setAccount(personId: string, account: string | undefined, origin: string): Promise<StaffOutcome>;
  list(): Promise<readonly StaffMember[]>;
  /** The role of an active member; undefined for everybody else. */
  roleOf(personId: string): Promise<StaffRole | undefined>;
}

interface Row {
  readonly person_id: string;
  readonly role: StaffRole;
  readonly status: StaffMember['status'];
  readonly added_at: number;
  readonly account: string | null;
}

const OPEN = "SELECT 1 AS one FROM persons WHERE id = $1 AND status = 'active'";
const INSERT = `INSERT INTO staff (person_id, role, status, added_at, changed_at) VALUES ($1, $2, 'active', $3, $3)
  ON CONFLICT DO NOTHING`;
const COLUMNS = 'person_id, role, status, added_at, account';
const FIND = `SELECT ${COLUMNS} FROM staff WHERE person_id = $1`;
const LIST = `SELECT ${COLUMNS} FROM staff ORDER BY added_at, person_id`;
const EVERYBODY = `SELECT ${UNJUDGED} person_id FROM staff ORDER BY person_id`;
const WHOSE = 'SELECT person_id FROM staff WHERE account = $1';
const SET_ACCOUNT = 'UPDATE staff SET account = $2, changed_at = $3 WHERE person_id = $1';
const SET_ROLE = 'UPDATE staff SET role = $2, changed_at = $3 WHERE person_id = $1 AND role = $4';
const SET_STATUS = 'UPDATE staff SET status = $2, changed_at = $3 WHERE person_id = $1 AND status = $4';

/** Whether the person behind a member may sign in. */
export const isOpenAccount = async (connection: Connection, personId: string): Promise<boolean> =>
  (await connection.get(OPEN, [personId])) !== undefined;

/** Whether somebody works here now. */
export const isStaffMember = async (connection: Connection, personId: string): Promise<boolean> =>
  (await connection.get<Row>(FIND, [personId]))?.status === 'active';

/** All members; for whoever looks before there is a house. */
export async function staffIn(connection: Connection): Promise<readonly StaffMember[]> {
  return (await connection.all<Row>(LIST, [])).map((row) => ({
    personId: row.person_id,
    role: row.role,
    status: row.status,
    addedAt: Number(row.added_at),
    ...(row.account === null ? {} : { account: row.account }),
  }));
}

export function createStaff({ database, ledger }: { readonly database: Database; readonly ledger: Ledger }): Staff {
  const change = (
    personId: string,
    work: (tx: Transaction, row: Row) => Promise<StaffOutcome>,
  ): Promise<StaffOutcome> =>
    database.write(async (tx) => {
      const row = await tx.get<Row>(FIND, [personId]);
      return row === undefined ? 'unknown' : work(tx, row);
    });

  return {
    add: (personId, role, origin) =>
      database.write(async (tx) => {
        if (!(await isOpenAccount(tx, personId))) return 'unknown';
        if ((await tx.run(INSERT, [personId, role, nowSeconds()])) === 0) return 'same';
        await ledger.append(tx, { type: 'staff.added', personId, details: { origin, role } });
        return 'done';
      }),
    setRole: (personId, role, origin) =>
      change(personId, async (tx, row) => {
        if (row.role === role || (await tx.run(SET_ROLE, [personId, role, nowSeconds(), row.role])) === 0)
          return 'same';
        const details = { origin, role, formerly: row.role };
        await ledger.append(tx, { type: 'staff.role-changed', personId, details });
        return 'done';
      }),
    setStatus: (personId, status, origin) =>
      change(personId, async (tx, row) => {
        const isSame = row.status === status;
        if (isSame || (await tx.run(SET_STATUS, [personId, status, nowSeconds(), row.status])) === 0) return 'same';
        const type = status === 'active' ? 'staff.enabled' : 'staff.disabled';
        await ledger.append(tx, { type, personId, details: { origin, role: row.role } });
        return 'done';
      }),
    setAccount: (personId, account, origin) =>
      change(personId, async (tx, row) => {
        if ((row.account ?? undefined) === account) return 'same';
        // Of two who get one account at once the second is to find it taken.
        await tx.all(EVERYBODY + updateLock(database.engine), []);
        if (account !== undefined && (await tx.get(WHOSE, [account])) !== undefined) return 'taken';
        await tx.run(SET_ACCOUNT, [personId, account ?? null, nowSeconds()]);
        const details = { origin, account: account ?? '' };
        await ledger.append(tx, { type: 'staff.account-changed', personId, details });
        return 'done';
      }),
    list: () => staffIn(database),
    async roleOf(personId) {
      const row = await database.get<Row>(FIND, [personId]);
      return row?.status === 'active' ? row.role : undefined;
    },
  };
}
