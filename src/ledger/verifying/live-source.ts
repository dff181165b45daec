import type { Connection } from '../../storage/database.ts';

/** The stored ledger as a verifier reads it: the bare tables, nothing checked, nothing opened. */
export interface LiveSource {
  /** Stored entries from number `from` on, in the order of their numbers, at most `limit`. */
  entries(from: number, limit: number): Promise<readonly { readonly seq: number; readonly entry: string }[]>;
  /** The hashes of one tile; undefined when there is none. */
  tile(level: number, position: number): Promise<Uint8Array | undefined>;
  checkpoints(): Promise<readonly { readonly size: number; readonly note: string }[]>;
  /** Entries hashed into the tiles. */
  treeSize(): Promise<number>;
  /** The number after the last stored entry. */
  storedSize(): Promise<number>;
}

const ENTRIES = 'SELECT seq, entry FROM ledger_entries WHERE seq >= $1 ORDER BY seq LIMIT $2';
const TILE = 'SELECT hashes FROM ledger_tiles WHERE level = $1 AND position = $2';
const CHECKPOINTS = 'SELECT size, note FROM ledger_checkpoints ORDER BY size';
const TREE = 'SELECT size FROM ledger_tree WHERE id = 1';
const LAST = 'SELECT seq FROM ledger_entries ORDER BY seq DESC LIMIT 1';

/** Reads the tables of the ledger; never writes. Faults are those of the connection. */
export const liveSource = (connection: Connection): LiveSource => ({
  entries: async (from, limit) => {
    const rows = await connection.all<{ seq: number; entry: string }>(ENTRIES, [from, limit]);
    return rows.map(({ seq, entry }) => ({ seq: Number(seq), entry }));
  },
  tile: async (level, position) => (await connection.get<{ hashes: Uint8Array }>(TILE, [level, position]))?.hashes,
  checkpoints: async () => {
    const rows = await connection.all<{ size: number; note: string }>(CHECKPOINTS, []);
    return rows.map(({ size, note }) => ({ size: Number(size), note }));
  },
  treeSize: async () => Number((await connection.get<{ size: number }>(TREE, []))?.size ?? 0),
  storedSize: async () => {
    const last = await connection.get<{ seq: number }>(LAST, []);
    return last === undefined ? 0 : Number(last.seq) + 1;
  },
});
