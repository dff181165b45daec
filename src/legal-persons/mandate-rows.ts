import type { IdentityDocument } from '../people/documents/document.ts';
import { parseDocument } from '../people/documents/parse.ts';
import { personDetailsSchema } from '../people/person-details.ts';
import { type CsvRecord, readCsv } from './csv-reading.ts';

/** What is wrong with one line; `column` as the file names it, empty for the line as a whole. Never holds a value of the file. */
export interface RowFault {
  readonly line: number;
  readonly column: string;
  readonly reason: string;
}

/** One agent a file asks for. */
export interface MandateWish {
  readonly line: number;
  readonly document: IdentityDocument;
  readonly name: string;
  readonly matters: readonly string[];
  readonly portals: readonly string[] | undefined;
  /** Epoch seconds: the end of the day that was written. */
  readonly validUntil: number | undefined;
  readonly acrMax: string | undefined;
  readonly mayDelegate: boolean;
}

export interface MandateFile {
  readonly wishes: readonly MandateWish[];
  readonly faults: readonly RowFault[];
}

/** One file is one transaction, and others wait for it. */
export const IMPORT_LIMITS = { bytesMax: 1_048_576, recordsMax: 1001 } as const;

const COLUMNS = {
  name: ['name', '姓名'],
  documentType: ['document_type', '证件类型'],
  documentNumber: ['document_number', '证件号码'],
  matters: ['matters', '事项'],
  portals: ['portals', '门户'],
  validUntil: ['valid_until', '截止日期'],
  acrMax: ['acr_max', '最高等级'],
  mayDelegate: ['may_delegate', '可转授权'],
} as const;
type Column = keyof typeof COLUMNS;
const REQUIRED: readonly Column[] = ['name', 'documentNumber', 'matters'];
const RESIDENT_ID_CARD = 'resident_id_card';
const TYPES: Readonly<Record<string, string>> = {
  '': RESIDENT_ID_CARD,
  居民身份证: RESIDENT_ID_CARD,
  身份证: RESIDENT_ID_CARD,
};
const SEPARATOR = /[;；、|\s]+/u;
const DAY = /^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})$/;
const TRUTH: Readonly<Record<string, boolean>> = {
  '': false,
  no: false,
  false: false,
  否: false,
  yes: true,
  true: true,
  是: true,
};

/** Reads a file of agents. All faults are reported together, each with its line; with any of them nothing is granted. Pure. */
export function readMandateFile(content: Uint8Array): MandateFile {
  const read = readCsv(content, IMPORT_LIMITS);
  if (!read.ok) return { wishes: [], faults: [{ line: read.line, column: '', reason: read.reason }] };
  const [head, ...records] = read.records;
  const columns = head && columnsOf(head);
  if (head === undefined || columns === undefined)
    return { wishes: [], faults: [{ line: head?.line ?? 1, column: '', reason: 'header' }] };
  if (records.length === 0) return { wishes: [], faults: [{ line: 1, column: '', reason: 'empty' }] };
  const wishes: MandateWish[] = [];
  const faults: RowFault[] = [];
  const seen = new Set<string>();
  for (const record of records) {
    const wish = wishOf(record, columns, head.cells, faults);
    if (wish === undefined) continue;
    const key = JSON.stringify([wish.document, wish.matters, wish.portals]);
    if (seen.has(key)) faults.push({ line: wish.line, column: '', reason: 'duplicate' });
    seen.add(key);
    wishes.push(wish);
  }
  return { wishes, faults };
}

type Columns = ReadonlyMap<Column, number>;

function columnsOf({ cells }: CsvRecord): Columns | undefined {
  const found = new Map<Column, number>();
  for (const [place, cell] of cells.entries()) {
    const entry = Object.entries(COLUMNS).find(([, names]) =>
      (names as readonly string[]).includes(cell.toLowerCase()),
    );
    if (entry === undefined || found.has(entry[0] as Column)) return undefined;
    found.set(entry[0] as Column, place);
  }
  return REQUIRED.every((column) => found.has(column)) ? found : undefined;
}

function wishOf(
  { line, cells }: CsvRecord,
  columns: Columns,
  head: readonly string[],
  faults: RowFault[],
): MandateWish | undefined {
  const before = faults.length;
  const cell = (column: Column): string => cells[columns.get(column) ?? -1] ?? '';
  const fault = (column: Column, reason: string): undefined => {
    faults.push({ line, column: head[columns.get(column) ?? -1] ?? column, reason });
  };
  if (cells.length !== head.length) {
    faults.push({ line, column: '', reason: 'cells' });
    return undefined;
  }
  const name = personDetailsSchema.shape.name.safeParse(cell('name'));
  if (!name.success) fault('name', 'name');
  const typed = cell('documentType');
  const document = parseDocument(TYPES[typed] ?? typed, 'CN', cell('documentNumber'));
  if (!document.ok) fault(document.reason === 'unknown_type' ? 'documentType' : 'documentNumber', document.reason);
  const matters = listOf(cell('matters'));
  if (matters.length === 0) fault('matters', 'no_matter');
  const portals = listOf(cell('portals'));
  const validUntil = cell('validUntil') === '' ? undefined : endOfDay(cell('validUntil'));
  if (validUntil === undefined && cell('validUntil') !== '') fault('validUntil', 'date');
  const mayDelegate = TRUTH[cell('mayDelegate').toLowerCase()];
  if (mayDelegate === undefined) fault('mayDelegate', 'yes_or_no');
  if (faults.length > before || !name.success || !document.ok || mayDelegate === undefined) return undefined;
  return {
    line,
    document: document.document,
    name: name.data,
    matters,
    portals: portals.length === 0 ? undefined : portals,
    validUntil,
    acrMax: cell('acrMax') || undefined,
    mayDelegate,
  };
}

const listOf = (text: string): readonly string[] =>
  text
    .split(SEPARATOR)
    .filter((part) => part !== '')
    .sort();

const BEIJING_OFFSET_MS = 8 * 3_600_000;

/** The last moment of a day in Beijing, as the first of the next, epoch seconds; undefined for what is no day. */
export function endOfDay(text: string): number | undefined {
  const [, year = 0, month = 0, day = 0] = (DAY.exec(text) ?? []).map(Number);
  const noon = new Date(Date.UTC(year, month - 1, day, 12));
  if (year === 0 || noon.getUTCMonth() !== month - 1 || noon.getUTCDate() !== day) return undefined;
  return (Date.UTC(year, month - 1, day + 1) - BEIJING_OFFSET_MS) / 1000;
}
