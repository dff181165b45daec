import type { Database, SqlValue, Transaction } from '../../storage/database.ts';
import { TILE_WIDTH } from '../tree/tiles.ts';

/** An entry as the sequencer reads it. */
export interface NumberedEntry {
  readonly seq: number;
  readonly entry: string;
  readonly address_key: string | null;
}

const SUBJECT = '"subject":';

/**
 * The person an entry is about, read from its canonical text without parsing all of it: this runs once for every entry.
 * Quotation marks inside a JSON string are escaped, so the mark can only be the name of a member; a member of `data` with this
 * name comes earlier (RFC 8785 sorts the names), so the last one counts. Undefined for null and for anything unexpected.
 */
export function subjectOf(entry: string): string | undefined {
  const at = entry.lastIndexOf(SUBJECT);
  if (at === -1) return undefined;
  const start = at + SUBJECT.length;
  if (entry.charCodeAt(start) !== 0x22) return undefined;
  const end = entry.indexOf('"', start + 1);
  const subject = entry.slice(start + 1, end);
  return end === -1 || subject.includes('\\') ? undefined : subject;
}

/** Tokens stand apart, so that the acts of a person are found behind any number of them. */
type IndexKind = 'subject' | 'token' | 'address';
type IndexRow = readonly [kind: IndexKind, key: string, seq: number];

const TOKEN_ISSUED = '"type":"token.issued"';
const isToken = (entry: string): boolean => entry.lastIndexOf(TOKEN_ISSUED) !== -1;

/** Columns of a row with the entries of a step (migration 23). */
type StepRow = readonly [kind: IndexKind, key: string, seq: number, seqs: string | null, tokens: string | null];

const COLUMNS = 5;
/** Rows in one statement, largest first. Measured: eight cost less than one at a time, and half of sixty-four at a time. */
const ROWS_AT_ONCE = [8, 1];

/** SQLite has no round trips to save; its JSON functions cost more than they spare. */
const INSERT_ROWS: ReadonlyMap<number, string> = new Map(
  ROWS_AT_ONCE.map((count) => {
    const place = (row: number): string =>
      Array.from({ length: COLUMNS }, (_, column) => `$${row * COLUMNS + column + 1}`).join(', ');
    const places = Array.from({ length: count }, (_, row) => `(${place(row)})`).join(', ');
    return [count, `INSERT INTO ledger_index (kind, key, seq, seqs, tokens) VALUES ${places} ON CONFLICT DO NOTHING`];
  }),
);
/** One round trip and one parameter whatever the number of rows. */
const INSERT_JSON = `INSERT INTO ledger_index (kind, key, seq)
  SELECT value ->> 0, value ->> 1, (value ->> 2)::bigint FROM json_array_elements($1::json) AS rows (value)
  ON CONFLICT DO NOTHING`;

/**
 * Writes which person and which address the entries, neighbours in their order, speak of, so that they are found by them. In SQLite one row finds all
 * that a step says of one person or address; in PostgreSQL, where a version that knows no such rows may still run, each entry has its own.
 */
export async function writeIndex(
  tx: Transaction,
  engine: Database['engine'],
  entries: readonly NumberedEntry[],
): Promise<void> {
  if (engine === 'postgres') {
    const rows = entries.flatMap(indexRows);
    if (rows.length > 0) await tx.run(INSERT_JSON, [JSON.stringify(rows)]);
    return;
  }
  const rows = stepRows(entries);
  let at = 0;
  for (const [count, text] of INSERT_ROWS) {
    for (; rows.length - at >= count; at += count) await tx.run(text, rows.slice(at, at + count).flat() as SqlValue[]);
  }
}

/** What an entry is found by. */
export function indexRows({ seq, entry, address_key: address }: NumberedEntry): readonly IndexRow[] {
  const rows: IndexRow[] = [];
  const subject = subjectOf(entry);
  if (subject !== undefined) rows.push([isToken(entry) ? 'token' : 'subject', subject, seq]);
  if (address !== null) rows.push(['address', address, seq]);
  return rows;
}

interface Gathered {
  readonly acts: number[];
  readonly tokens: number[];
}

/** Rows end with their tile, since a ledger is pruned by whole tiles. */
function stepRows(entries: readonly NumberedEntry[]): readonly StepRow[] {
  const rows: StepRow[] = [];
  let from = 0;
  while (from < entries.length) {
    const to = Math.min(entries.length, from + TILE_WIDTH - (entries[from]!.seq % TILE_WIDTH));
    rows.push(...rowsOfTile(entries.slice(from, to)));
    from = to;
  }
  return rows;
}

function rowsOfTile(entries: readonly NumberedEntry[]): readonly StepRow[] {
  const people = new Map<string, Gathered>();
  const addresses = new Map<string, number[]>();
  for (const { seq, entry, address_key: address } of entries) {
    const subject = subjectOf(entry);
    if (subject !== undefined) {
      const { acts, tokens } = gathered(people, subject, () => ({ acts: [], tokens: [] }));
      (isToken(entry) ? tokens : acts).push(seq);
    }
    if (address !== null) gathered(addresses, address, () => []).push(seq);
  }
  return [
    ...[...people].map(([key, { acts, tokens }]) =>
      acts.length === 0 ? rowOf('token', key, tokens, []) : rowOf('subject', key, acts, tokens),
    ),
    ...[...addresses].map(([key, seqs]) => rowOf('address', key, seqs, [])),
  ];
}

function gathered<Value>(known: Map<string, Value>, key: string, make: () => Value): Value {
  let value = known.get(key);
  if (value === undefined) {
    value = make();
    known.set(key, value);
  }
  return value;
}

function rowOf(kind: IndexKind, key: string, seqs: readonly number[], tokens: readonly number[]): StepRow {
  const isAlone = seqs.length === 1 && tokens.length === 0;
  const last = Math.max(seqs.at(-1)!, tokens.at(-1) ?? 0);
  return [kind, key, last, isAlone ? null : seqs.join(), tokens.length === 0 ? null : tokens.join()];
}
