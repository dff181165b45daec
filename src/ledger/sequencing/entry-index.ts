import type { Database, Transaction } from '../../storage/database.ts';

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
export type IndexRow = readonly [kind: 'subject' | 'token' | 'address', key: string, seq: number];

const TOKEN_ISSUED = '"type":"token.issued"';

/** Rows in one statement, largest first. Measured: eight cost less than one at a time, and half of sixty-four at a time. */
const ROWS_AT_ONCE = [8, 1];

/** SQLite has no round trips to save; its JSON functions cost more than they spare. */
const INSERT_ROWS: ReadonlyMap<number, string> = new Map(
  ROWS_AT_ONCE.map((count) => {
    const places = Array.from({ length: count }, (_, row) => `($${row * 3 + 1}, $${row * 3 + 2}, $${row * 3 + 3})`);
    return [count, `INSERT INTO ledger_index (kind, key, seq) VALUES ${places.join(', ')} ON CONFLICT DO NOTHING`];
  }),
);
/** One round trip and one parameter whatever the number of rows. */
const INSERT_JSON = `INSERT INTO ledger_index (kind, key, seq)
  SELECT value ->> 0, value ->> 1, (value ->> 2)::bigint FROM json_array_elements($1::json) AS rows (value)
  ON CONFLICT DO NOTHING`;

/** Writes which person and which address the entries speak of, so that they are found by them. */
export async function writeIndex(
  tx: Transaction,
  engine: Database['engine'],
  entries: readonly NumberedEntry[],
): Promise<void> {
  const rows = entries.flatMap(indexRows);
  if (engine === 'postgres') {
    if (rows.length > 0) await tx.run(INSERT_JSON, [JSON.stringify(rows)]);
    return;
  }
  let at = 0;
  for (const [count, text] of INSERT_ROWS) {
    for (; rows.length - at >= count; at += count) await tx.run(text, rows.slice(at, at + count).flat());
  }
}

/** What an entry is found by. */
export function indexRows({ seq, entry, address_key: address }: NumberedEntry): readonly IndexRow[] {
  const rows: IndexRow[] = [];
  const subject = subjectOf(entry);
  if (subject !== undefined) rows.push([entry.includes(TOKEN_ISSUED) ? 'token' : 'subject', subject, seq]);
  if (address !== null) rows.push(['address', address, seq]);
  return rows;
}
