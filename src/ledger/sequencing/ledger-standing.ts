import type { Database } from '../../storage/database.ts';

/** Where the ledger stands, in one reading. */
export interface LedgerStanding {
  /** Entries hashed into the tree. */
  readonly size: number;
  readonly fence: number;
  readonly holder: string;
  readonly leaseUntilMs: number;
  /** Entries covered by the newest checkpoint. */
  readonly signedSize: number;
  /** Entries that are committed, numbered or not. Counting stops at 100,000 that wait for their number. */
  readonly committedCount: number;
  /** The first entry that no checkpoint covers. */
  readonly oldestUnsigned: string | null;
}

const WAITING_MAX = 100_000;
const SIGNED_SIZE = 'coalesce((SELECT max(size) FROM ledger_checkpoints), 0)';
const NUMBERED = 'coalesce((SELECT max(seq) + 1 FROM ledger_entries), 0)';
const OLDEST = `(SELECT entry FROM ledger_entries WHERE seq = ${SIGNED_SIZE})`;

const standingText = (committedCount: string, oldestUnsigned: string): string =>
  `SELECT size, fence, holder, lease_until_ms AS "leaseUntilMs", ${SIGNED_SIZE} AS "signedSize",
    ${committedCount} AS "committedCount", ${oldestUnsigned} AS "oldestUnsigned" FROM ledger_tree WHERE id = $1`;

const STANDING: Readonly<Record<Database['engine'], string>> = {
  sqlite: standingText(NUMBERED, OLDEST),
  postgres: standingText(
    `${NUMBERED} + (SELECT count(*) FROM (SELECT 1 FROM ledger_inbox LIMIT ${WAITING_MAX}) AS waiting)`,
    `coalesce(${OLDEST}, (SELECT entry FROM ledger_inbox ORDER BY id LIMIT 1))`,
  ),
};

/** Undefined when the row of the tree is gone. */
export const readStanding = (database: Database): Promise<LedgerStanding | undefined> =>
  database.get<LedgerStanding>(STANDING[database.engine], [1]);

const TIME = '"ts":"';
const TIME_CHARS = 24;

/** When an entry says it happened, read as `subjectOf` reads; undefined for anything unexpected. */
export function timeOf(entry: string): number | undefined {
  const at = entry.lastIndexOf(TIME);
  const ms = Date.parse(entry.slice(at + TIME.length, at + TIME.length + TIME_CHARS));
  return at === -1 || Number.isNaN(ms) ? undefined : ms;
}

/** What is committed at one moment: the highest number in the inbox (PostgreSQL, else 0) and the count of numbered entries. */
export interface CommittedMark {
  readonly inbox: number;
  readonly numbered: number;
}

const MARK: Readonly<Record<Database['engine'], string>> = {
  sqlite: `SELECT ${NUMBERED} AS numbered, $1 AS inbox`,
  postgres: `SELECT ${NUMBERED} AS numbered, coalesce((SELECT max(id) FROM ledger_inbox), $1) AS inbox`,
};
const INBOX_UP_TO = 'SELECT id FROM ledger_inbox WHERE id <= $1 LIMIT 1';

export async function readMark(database: Database): Promise<CommittedMark> {
  return (await database.get<CommittedMark>(MARK[database.engine], [0])) ?? { inbox: 0, numbered: 0 };
}

/** Whether everything committed at the mark is covered by a checkpoint, whoever signed it. */
export async function isSigned(database: Database, { inbox, numbered }: CommittedMark): Promise<boolean> {
  if (inbox > 0 && (await database.get(INBOX_UP_TO, [inbox])) !== undefined) return false;
  const standing = await readStanding(database);
  // What has left the inbox has a number below the size, but which one it was given is not known here.
  return standing !== undefined && standing.signedSize >= (inbox > 0 ? standing.size : numbered);
}
