import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Signer } from '../../src/crypto/signer.ts';
import { createSoftwareSm2Signer } from '../../src/crypto/sm2-software-signer.ts';
import type { EntryToExport } from '../../src/ledger/auditing/export-lines.ts';
import {
  cosign,
  encodeVerifierKey,
  parseVerifierKey,
  signNote,
  type VerifierKey,
} from '../../src/ledger/checkpoints/checkpoint.ts';
import { canonicalEntry, commitment, type LedgerEntry } from '../../src/ledger/entry.ts';
import { EMPTY_TREE, type StoredTile, TreeGrowth } from '../../src/ledger/sequencing/tree-growth.ts';
import { frontierAt, type NodeReader } from '../../src/ledger/tree/merkle.ts';
import { nodeFromTiles } from '../../src/ledger/tree/tiles.ts';
import type { Connection, Database, SqlValue } from '../../src/storage/database.ts';
import { openDatabase } from '../../src/storage/open.ts';

/** The key of GB/T 32918.5 A.2, and another for the witness: public, for tests only. */
export const LOG_KEY_HEX = '3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8';
export const WITNESS_KEY_HEX = '128b2fa8bd433c6c068c8d803dff79792a519a55171b1b650c23661d15897263';
export const ORIGIN = 'tongban.example/audit';
export const WITNESS = 'witness.example';

const START_MS = Date.UTC(2026, 0, 1);
const TYPES = ['sign-in.succeeded', 'sign-in.refused', 'token.issued', 'session.ended', 'consent.given'] as const;

/** Everything a ledger consists of, in memory, from a seed: the same seed gives the same bytes. */
export interface BuiltLedger {
  readonly entries: readonly EntryToExport[];
  readonly tiles: readonly StoredTile[];
  /** The root over the first `size` entries. */
  readonly root: (size: number) => Promise<Buffer>;
  /** Signed notes by ascending size; that at `cosignedSize` also carries the line of the witness. */
  readonly notes: readonly { readonly size: number; readonly note: string }[];
  readonly node: NodeReader;
  readonly key: VerifierKey;
  readonly keyText: string;
  readonly witnessKey: VerifierKey;
  readonly witnessKeyText: string;
}

export interface LedgerPlan {
  readonly seed: number;
  readonly size: number;
  readonly checkpointSizes: readonly number[];
  readonly cosignedSize?: number;
  /** Entries that take the place of the ordinary ones. */
  readonly special?: Readonly<Record<number, Partial<LedgerEntry>>>;
  /** Entries of this ledger from `forkAt` on differ from those of the same seed without it. */
  readonly forkAt?: number;
}

/** Bytes that look random and are the same each time. */
export const seededBytes = (label: string): Buffer => createHash('sha256').update(label).digest();

function entryAt(seq: number, { seed, special, forkAt }: LedgerPlan): EntryToExport {
  const random = seededBytes(`${seed}:${forkAt !== undefined && seq >= forkAt ? 'fork:' : ''}${seq}`);
  const person = `p_${random.toString('hex', 0, 8)}`;
  const type = TYPES[random[8]! % TYPES.length]!;
  const values: Record<string, string> = { ip: `192.0.2.${random[9]}`, ua: `浏览器/"${random[10]}" \\ ü` };
  if (type === 'sign-in.refused') values['data.reason'] = `第${random[11]}次`;
  const openings = Object.fromEntries(
    Object.entries(values).map(([field, value]) => {
      const salt = seededBytes(`${seed}:${seq}:${field}`);
      return [field, { salt, value, commitment: commitment(field, salt, value) }];
    }),
  );
  const entry: LedgerEntry = {
    v: 1,
    ts: new Date(START_MS + seq * 1000 + (random[12]! % 4) * 1000).toISOString(),
    node: `n${1 + (random[13]! % 2)}`,
    type,
    outcome: type === 'sign-in.refused' ? 'failure' : 'success',
    actor: person,
    subject: person,
    client: `portal-${random[14]! % 7}`,
    ip: openings.ip!.commitment,
    ua: openings.ua!.commitment,
    corr: random.toString('hex', 15, 20),
    data: {
      ...(openings['data.reason'] === undefined ? {} : { reason: openings['data.reason'].commitment }),
      ...(type === 'token.issued' ? { scopes: ['openid', '姓名'], count: random[21]!, fresh: random[22]! > 127 } : {}),
    },
    ...special?.[seq],
  };
  // Every third entry is opened for whoever asked for the export; a special entry may have other commitments.
  const opened = seq % 3 === 0 && special?.[seq] === undefined;
  const shown = Object.fromEntries(
    Object.entries(openings).map(([field, { salt, value }]) => [field, { salt: salt.toString('base64'), value }]),
  );
  return { seq, entry: canonicalEntry(entry), ...(opened ? { openings: shown } : {}) };
}

/** Builds a ledger with real entries, tiles, signed checkpoints and cosignatures. */
export async function buildLedger(plan: LedgerPlan): Promise<BuiltLedger> {
  const entries = Array.from({ length: plan.size }, (_, seq) => entryAt(seq, plan));
  const growth = new TreeGrowth(EMPTY_TREE);
  for (const { entry } of entries) growth.append(entry);
  const { tiles } = growth.finish();
  const byName = new Map(tiles.map((tile) => [`${tile.level}/${tile.position}`, tile.hashes]));
  const [log, witness] = [createSoftwareSm2Signer(LOG_KEY_HEX), createSoftwareSm2Signer(WITNESS_KEY_HEX)];
  const node = nodeFromTiles(async (level, position) => byName.get(`${level}/${position}`));
  const root = async (size: number): Promise<Buffer> => (await frontierAt(size, node)).root();
  const notes: { size: number; note: string }[] = [];
  for (const size of plan.checkpointSizes) {
    const signed = await signNote({ origin: ORIGIN, size, root: await root(size) }, log);
    notes.push({
      size,
      note: size === plan.cosignedSize ? await cosign(signed, WITNESS, 1_767_225_600, witness) : signed,
    });
  }
  const [keyText, witnessKeyText] = [keyTextOf(log, 'log'), keyTextOf(witness, 'witness')];
  await Promise.all([log.close(), witness.close()]);
  return {
    entries,
    tiles,
    root,
    notes,
    node,
    key: parseVerifierKey(keyText)!,
    keyText,
    witnessKey: parseVerifierKey(witnessKeyText)!,
    witnessKeyText,
  };
}

const keyTextOf = ({ publicKey }: Signer, who: 'log' | 'witness'): string =>
  who === 'log'
    ? encodeVerifierKey(ORIGIN, 'sm2-sm3', publicKey)
    : encodeVerifierKey(WITNESS, 'cosignature-sm2/v1', publicKey);

const INSERT_ENTRY = 'INSERT INTO ledger_entries (seq, entry) VALUES ($1, $2)';
const INSERT_TILE = 'INSERT INTO ledger_tiles (level, position, hashes) VALUES ($1, $2, $3)';
const INSERT_CHECKPOINT = 'INSERT INTO ledger_checkpoints (size, at_ms, note) VALUES ($1, $2, $3)';
const SET_TREE = 'UPDATE ledger_tree SET size = $1 WHERE id = 1';

/** Writes a built ledger into the real tables of a connection. */
export async function storeLedger(tx: Connection, { entries, tiles, notes }: BuiltLedger): Promise<void> {
  const insert = (sql: string, params: readonly SqlValue[]): Promise<number> => tx.run(sql, params);
  for (const { seq, entry } of entries) await insert(INSERT_ENTRY, [seq, entry]);
  for (const { level, position, hashes } of tiles) await insert(INSERT_TILE, [level, position, hashes]);
  for (const { size, note } of notes) await insert(INSERT_CHECKPOINT, [size, START_MS + size * 1000, note]);
  await insert(SET_TREE, [entries.length]);
}

/** A SQLite file with a built ledger in it. The caller closes the database and removes the folder. */
export async function openBuiltLedger(folder: string, ledger: BuiltLedger): Promise<Database> {
  const file = join(folder, 'ledger.db');
  await rm(file, { force: true });
  const database = await openDatabase({ file });
  await database.write((tx) => storeLedger(tx, ledger));
  return database;
}
