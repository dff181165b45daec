import type { BlindIndex } from '../crypto/blind-index.ts';
import type { Database } from '../storage/database.ts';
import { isCommitment, parseEntry } from './entry.ts';
import { type FoundBy, findSeqs } from './found-entries.ts';
import type { Opening, Openings } from './openings.ts';

/** An entry as it is stored: its number, its canonical text, and what opens its commitments. */
export interface StoredEntry {
  readonly seq: number;
  readonly entry: string;
  readonly keyId: string | null;
  readonly openings: Uint8Array | null;
}

/** Of a stored entry its number and its canonical text. */
export type EntryText = Pick<StoredEntry, 'seq' | 'entry'>;

/** Reads what the sequencer has numbered, hashed and signed. Nothing beyond the newest checkpoint is shown to anybody. */
export interface LedgerReader {
  /** How many entries the newest checkpoint covers; 0 before the first. */
  signedSize(): Promise<number>;
  /** The entries from number `from` on, in order, at most `limit` (4,096 at most), none beyond the signed size. Pruned ones are left out. */
  read(from: number, limit: number): Promise<readonly StoredEntry[]>;
  /** The same, for whoever seldom asks what opens an entry. */
  readTexts(from: number, limit: number): Promise<readonly EntryText[]>;
  /** One entry; undefined when it is pruned or not signed yet. */
  entryAt(seq: number): Promise<StoredEntry | undefined>;
  /** Salts and values behind the commitments of one entry, by field (`ip`, `ua`, `data.<name>`). Empty when the subject was erased. */
  openings(entry: StoredEntry): Promise<ReadonlyMap<string, Opening>>;
  /** The values alone. */
  open(entry: StoredEntry): Promise<Readonly<Record<string, string>>>;
  /**
   * What concerns a person, newest first: at most `limit` entries with numbers below `before`. `without_tokens` leaves out tokens
   * issued, of which one portal can make thousands between two things a person has done.
   */
  subjectEntries(
    personId: string,
    before: number | undefined,
    limit: number,
    scope?: 'all' | 'without_tokens',
  ): Promise<readonly StoredEntry[]>;
  /** What came from an address, newest first. */
  addressEntries(address: string, before: number | undefined, limit: number): Promise<readonly StoredEntry[]>;
}

export const READ_MAX = 4096;

interface EntryRow {
  readonly seq: number;
  readonly entry: string;
  readonly key_id: string | null;
  readonly openings: Uint8Array | null;
}

const SIGNED_SIZE = 'SELECT size FROM ledger_checkpoints ORDER BY size DESC LIMIT 1';
const READ =
  'SELECT seq, entry, key_id, openings FROM ledger_entries WHERE seq >= $1 AND seq < $2 ORDER BY seq LIMIT $3';
const READ_TEXTS = 'SELECT seq, entry FROM ledger_entries WHERE seq >= $1 AND seq < $2 ORDER BY seq LIMIT $3';
const ONE = 'SELECT seq, entry, key_id, openings FROM ledger_entries WHERE seq = $1';
/** One round trip for all of them. */
const SEVERAL = `SELECT e.seq, e.entry, e.key_id, e.openings FROM json_array_elements($1::json) AS wanted (value)
  JOIN ledger_entries e ON e.seq = (wanted.value #>> '{}')::bigint ORDER BY e.seq DESC`;

/** What an address is found by: a keyed digest, since there are few enough addresses to try them all. */
export const addressKeyOf = (index: BlindIndex, address: string): string =>
  index.name({ type: 'ledger-address', issuer: '', number: address });

const toEntry = ({ seq, entry, key_id, openings }: EntryRow): StoredEntry => ({
  seq: Number(seq),
  entry,
  keyId: key_id,
  openings,
});

const toText = ({ seq, entry }: EntryText): EntryText => ({ seq: Number(seq), entry });

export interface ReaderSources {
  readonly database: Database;
  readonly openings: Openings;
  readonly index: BlindIndex;
}

export function createLedgerReader({ database, openings, index }: ReaderSources): LedgerReader {
  const signedSize = async (): Promise<number> =>
    Number((await database.get<{ size: number }>(SIGNED_SIZE, []))?.size ?? 0);

  const read = async (from: number, limit: number): Promise<readonly StoredEntry[]> =>
    (await database.all<EntryRow>(READ, [from, await signedSize(), Math.min(limit, READ_MAX)])).map(toEntry);

  const found = async (
    by: FoundBy,
    key: string,
    before: number | undefined,
    limit: number,
  ): Promise<readonly StoredEntry[]> => {
    const below = Math.min(before ?? Number.MAX_SAFE_INTEGER, await signedSize());
    const seqs = await findSeqs(database, by, key, { below, limit: Math.min(limit, READ_MAX) });
    if (database.engine === 'postgres') {
      return (await database.all<EntryRow>(SEVERAL, [JSON.stringify(seqs)])).map(toEntry);
    }
    const rows: EntryRow[] = [];
    for (const seq of seqs) rows.push(...(await database.all<EntryRow>(ONE, [seq])));
    return rows.map(toEntry);
  };

  const open = async (stored: StoredEntry): Promise<ReadonlyMap<string, Opening>> => {
    const entry = parseEntry(stored.entry);
    if (!entry || stored.keyId === null || stored.openings === null) return new Map();
    const committed = (field: string): string | undefined => {
      const value = field === 'ip' ? entry.ip : field === 'ua' ? entry.ua : entry.data[field.replace(/^data\./, '')];
      return isCommitment(value) ? value : undefined;
    };
    return openings.open(stored.keyId, stored.openings, committed);
  };

  return {
    signedSize,
    read,
    readTexts: async (from, limit) =>
      (await database.all<EntryText>(READ_TEXTS, [from, await signedSize(), Math.min(limit, READ_MAX)])).map(toText),
    async entryAt(seq) {
      const [found] = await read(seq, 1);
      return found?.seq === seq ? found : undefined;
    },
    openings: open,
    open: async (stored) => Object.fromEntries([...(await open(stored))].map(([field, { value }]) => [field, value])),
    subjectEntries: (personId, before, limit, scope = 'all') =>
      found(scope === 'all' ? 'person' : 'acts', personId, before, limit),
    addressEntries: (address, before, limit) => found('address', addressKeyOf(index, address), before, limit),
  };
}
