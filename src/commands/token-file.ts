import { TOKEN_ALGORITHMS, type TokenAlgorithm } from '../factors/token-codes.ts';
import { normalSerial, SERIAL_FORM, type StockedToken } from '../factors/token-stock.ts';
import { type CsvRecord, readCsv } from '../legal-persons/csv-reading.ts';

/** What is wrong, and on which line; 0 where it is the file as a whole. Never holds a seed. */
export interface TokenFault {
  readonly line: number;
  readonly reason: string;
}

export type TokenFile =
  | { readonly ok: true; readonly tokens: readonly (StockedToken & { readonly line: number })[] }
  | { readonly ok: false; readonly faults: readonly TokenFault[] };

const COLUMNS = ['serial', 'algorithm', 'seed', 'period', 'digits'] as const;
const LIMITS = { bytesMax: 8 * 1024 * 1024, recordsMax: 20_001 } as const;
const SEED = /^(?:[0-9A-Fa-f]{2}){16,64}$/;

/** Reads the list of a token maker: a heading, then a token a line. Pure; every fault is told, and then nothing is read. */
export function readTokenFile(content: Uint8Array): TokenFile {
  const csv = readCsv(content, LIMITS);
  if (!csv.ok) return { ok: false, faults: [{ line: csv.line, reason: csv.reason }] };
  const [heading, ...records] = csv.records;
  const named = heading?.cells.map((cell) => cell.toLowerCase()) ?? [];
  if (named.length !== COLUMNS.length || COLUMNS.some((column, at) => named[at] !== column))
    return { ok: false, faults: [{ line: 1, reason: `the heading must be ${COLUMNS.join(',')}` }] };
  if (records.length === 0) return { ok: false, faults: [{ line: 1, reason: 'there is no token in it' }] };
  const seen = new Set<string>();
  const read = records.map((record) => ({ record, token: tokenOf(record, seen) }));
  const faults = read.flatMap(({ record, token }) =>
    typeof token === 'string' ? [{ line: record.line, reason: token }] : [],
  );
  if (faults.length > 0) return { ok: false, faults };
  const tokens = read.flatMap(({ record, token }) =>
    typeof token === 'string' ? [] : [{ ...token, line: record.line }],
  );
  return { ok: true, tokens };
}

const within = (text: string, min: number, max: number): boolean =>
  /^\d{1,2}$/.test(text) && Number(text) >= min && Number(text) <= max;

function tokenOf({ cells }: CsvRecord, seen: Set<string>): StockedToken | string {
  const [typed = '', algorithm = '', key = '', period = '', digits = ''] = cells;
  const serial = normalSerial(typed);
  if (cells.length !== COLUMNS.length) return `there must be ${COLUMNS.length} columns`;
  if (!SERIAL_FORM.test(serial)) return 'serial must be 4 to 32 capitals and digits';
  if (seen.has(serial)) return 'the serial stands twice in this file';
  seen.add(serial);
  if (!(TOKEN_ALGORITHMS as readonly string[]).includes(algorithm))
    return `algorithm must be ${TOKEN_ALGORITHMS.join(' or ')}`;
  if (!SEED.test(key)) return 'seed must be hexadecimal, 16 to 64 bytes';
  if (!within(period, 1, 60)) return 'period must be 1 to 60 seconds';
  if (!within(digits, 6, 10)) return 'digits must be 6 to 10';
  return {
    serial,
    seed: {
      algorithm: algorithm as TokenAlgorithm,
      key: key.toLowerCase(),
      periodSeconds: Number(period),
      digits: Number(digits),
    },
  };
}
