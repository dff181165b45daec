import type { Revealed } from '../ledger/auditing/revealing.ts';
import type { Match } from '../ledger/auditing/search.ts';
import { isCommitment } from '../ledger/entry.ts';
import type { Language } from '../web/language.ts';
import { auditEn } from '../web/messages/audit-en.ts';
import { type AuditMessages, auditZhCN } from '../web/messages/audit-zh-CN.ts';
import { visibleText } from '../web/visible-text.ts';

/** An entry and what was opened of it. */
export interface ShownMatch extends Match {
  readonly revealed: Readonly<Record<string, Revealed>>;
}

export const auditMessages = (language: Language): AuditMessages => (language === 'en' ? auditEn : auditZhCN);

const GAP = '  ';
const CELL_WIDTH_MAX = 48;
const BEIJING_MS = 8 * 3_600_000;
/** Characters that take two columns of a terminal (Unicode East Asian Width W and F, as far as our texts go). */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const MARK = /\p{M}/u;

/** How many columns of a terminal a text takes. */
export const widthOf = (text: string): number =>
  [...text].reduce((sum, character) => sum + (MARK.test(character) ? 0 : WIDE.test(character) ? 2 : 1), 0);

/** Rows as columns of equal width; the first row is the head. The last column is as long as it is. */
export function aligned(rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map((cell, column) => (column < row.length - 1 ? cut(cell) : cell)));
  const widths = (cells[0] ?? []).map((_, column) => Math.max(...cells.map((row) => widthOf(row[column] ?? ''))));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - widthOf(cell))))
      .join(GAP)
      .trimEnd();
  return cells.map((row) => `${line(row)}\n`).join('');
}

function cut(cell: string): string {
  if (widthOf(cell) <= CELL_WIDTH_MAX) return cell;
  let short = '';
  for (const character of cell) {
    if (widthOf(short) + widthOf(character) >= CELL_WIDTH_MAX) break;
    short += character;
  }
  return `${short}…`;
}

/** The time of an entry in Beijing, to the second. */
export const beijingTime = (ts: string): string =>
  new Date(Date.parse(ts) + BEIJING_MS).toISOString().slice(0, 19).replace('T', ' ');

/** Matches as a table. What others have sent us shows no control characters to the terminal. */
export function matchTable(matches: readonly ShownMatch[], language: Language): string {
  const { columns, outcomes } = auditMessages(language);
  const rows = matches.map(({ stored, entry, revealed }) => [
    String(stored.seq),
    beijingTime(entry.ts),
    entry.type,
    outcomes[entry.outcome],
    entry.actor,
    entry.subject ?? '-',
    entry.client ?? '-',
    detailsOf({ stored, entry, revealed }, language),
  ]);
  const { seq, time, type, outcome, actor, subject, client, details } = columns;
  return aligned(
    [[seq, time, type, outcome, actor, subject, client, details], ...rows].map((row) => row.map(visibleText)),
  );
}

/** Everything else an entry says: addresses and browsers when opened, and the members of its data. */
function detailsOf({ entry, revealed }: ShownMatch, language: Language): string {
  const { sealed, states } = auditMessages(language);
  const said = (field: string, value: unknown): string => {
    const one = revealed[field];
    if (one !== undefined) return one.state === 'open' ? one.value : `[${states[one.state]}]`;
    return isCommitment(value) ? `[${sealed}]` : Array.isArray(value) ? value.join(',') : String(value);
  };
  const members: readonly (readonly [string, string, unknown])[] = [
    ...(entry.ip === null ? [] : [['ip', 'ip', entry.ip] as const]),
    ...(entry.ua === null ? [] : [['ua', 'ua', entry.ua] as const]),
    ...Object.entries(entry.data).map(([name, value]) => [name, `data.${name}`, value] as const),
  ];
  return members.map(([name, field, value]) => `${name}=${said(field, value)}`).join(' ');
}
