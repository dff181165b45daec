import type { Transaction } from '../../src/storage/database.ts';
import type { BuiltLedger } from './ledger-builder.ts';
import { storeLedger } from './ledger-builder.ts';
import type { SeededRandom } from './seeded-random.ts';
import { flipBit, flipNote, otherText } from './tampering.ts';

/** What was done to the tables, and what a verifier has to find. */
export interface TamperedTables {
  readonly seq?: number;
  readonly checkpoint?: number;
  readonly within?: number;
  /** The notes a witness holds have to be at hand to find it. */
  readonly needsNotes?: true;
}

type Tampering = (tx: Transaction, ledger: BuiltLedger, random: SeededRandom) => Promise<TamperedTables | undefined>;

const signedSize = ({ notes }: BuiltLedger): number => notes.at(-1)!.size;
const setEntry = (tx: Transaction, seq: number, entry: string): Promise<number> =>
  tx.run('UPDATE ledger_entries SET entry = $2 WHERE seq = $1', [seq, entry]);

const editRow: Tampering = async (tx, ledger, random) => {
  const seq = random.below(signedSize(ledger));
  await setEntry(tx, seq, otherText(ledger.entries[seq]!.entry, random));
  return { seq };
};

const deleteRow: Tampering = async (tx, ledger, random) => {
  const seq = random.below(signedSize(ledger));
  await tx.run('DELETE FROM ledger_entries WHERE seq = $1', [seq]);
  return { seq };
};

/** Moves the rows from `seq` on by one; twice, because numbers are unique at every moment. */
async function shift(tx: Transaction, seq: number, by: 1 | -1): Promise<void> {
  await tx.run('UPDATE ledger_entries SET seq = -seq - 1 WHERE seq >= $1', [seq]);
  await tx.run('UPDATE ledger_entries SET seq = -seq - 1 + $1 WHERE seq < 0', [by]);
}

const deleteAndRenumber: Tampering = async (tx, ledger, random) => {
  const seq = random.below(signedSize(ledger));
  await tx.run('DELETE FROM ledger_entries WHERE seq = $1', [seq]);
  await shift(tx, seq + 1, -1);
  return { seq };
};

const insertRow: Tampering = async (tx, ledger, random) => {
  const seq = random.below(signedSize(ledger));
  const foreign = random.below(ledger.entries.length);
  if (foreign === seq) return undefined;
  await shift(tx, seq, 1);
  await tx.run('INSERT INTO ledger_entries (seq, entry) VALUES ($1, $2)', [seq, ledger.entries[foreign]!.entry]);
  return { seq };
};

const duplicateRow: Tampering = async (tx, ledger, random) => {
  const seq = random.below(signedSize(ledger) - 1);
  await shift(tx, seq + 1, 1);
  await tx.run('INSERT INTO ledger_entries (seq, entry) VALUES ($1, $2)', [seq + 1, ledger.entries[seq]!.entry]);
  return { seq: seq + 1 };
};

const swapRows: Tampering = async (tx, ledger, random) => {
  const [one, two] = [random.below(signedSize(ledger)), random.below(signedSize(ledger))];
  if (one === two) return undefined;
  await setEntry(tx, one, ledger.entries[two]!.entry);
  await setEntry(tx, two, ledger.entries[one]!.entry);
  return { seq: Math.min(one, two) };
};

const truncateRows: Tampering = async (tx, ledger, random) => {
  const seq = random.below(signedSize(ledger));
  await tx.run('DELETE FROM ledger_entries WHERE seq >= $1', [seq]);
  if (random.below(2) === 0) await tx.run('UPDATE ledger_tree SET size = $1', [seq]);
  return { seq };
};

/** The beginning is gone by whole tiles, as a removal would leave it, but nobody was asked. */
const dropBeginning: Tampering = async (tx, ledger, random) => {
  const tiles = 1 + random.below(Math.floor(signedSize(ledger) / 256));
  await tx.run('DELETE FROM ledger_entries WHERE seq < $1', [tiles * 256]);
  await tx.run('DELETE FROM ledger_tiles WHERE level = 0 AND position < $1', [tiles]);
  return { seq: 0 };
};

async function editTile(
  tx: Transaction,
  ledger: BuiltLedger,
  level: number,
  node: number,
  random: SeededRandom,
): Promise<void> {
  const position = Math.floor(node / 256);
  const tile = ledger.tiles.find((one) => one.level === level && one.position === position)!;
  const hashes = flipBit(tile.hashes, (node % 256) * 32 + random.below(32), random);
  await tx.run('UPDATE ledger_tiles SET hashes = $3 WHERE level = $1 AND position = $2', [level, position, hashes]);
}

const editLeafHash: Tampering = async (tx, ledger, random) => {
  const seq = random.below(signedSize(ledger));
  await editTile(tx, ledger, 0, seq, random);
  return { seq };
};

const editInnerHash: Tampering = async (tx, ledger, random) => {
  const node = random.below(Math.floor(signedSize(ledger) / 256));
  await editTile(tx, ledger, 1, node, random);
  return { within: node * 256 };
};

const editCheckpointRow: Tampering = async (tx, ledger, random) => {
  const { size, note } = random.pick(ledger.notes);
  const flipped = flipNote(note, random);
  await tx.run('UPDATE ledger_checkpoints SET note = $2 WHERE size = $1', [size, flipped.note]);
  // A note that states another size than its row is found by both.
  return { checkpoint: Math.min(size, flipped.size) };
};

const lowerTree: Tampering = async (tx, ledger, random) => {
  await tx.run('UPDATE ledger_tree SET size = $1', [random.below(signedSize(ledger))]);
  return {};
};

async function replaceAll(tx: Transaction, ledger: BuiltLedger): Promise<void> {
  for (const table of ['entries', 'tiles', 'checkpoints']) await tx.run(`DELETE FROM ledger_${table}`, []);
  await storeLedger(tx, ledger);
}

/** Everything that can be done to the tables without the key. */
export const TABLE_TAMPERINGS: Readonly<Record<string, Tampering>> = {
  'row edited': editRow,
  'row deleted': deleteRow,
  'row deleted, others renumbered': deleteAndRenumber,
  'row inserted': insertRow,
  'row duplicated': duplicateRow,
  'rows swapped': swapRows,
  'rows truncated': truncateRows,
  'beginning removed': dropBeginning,
  'stored leaf hash edited': editLeafHash,
  'stored inner hash edited': editInnerHash,
  'stored checkpoint edited': editCheckpointRow,
  'tree size lowered': lowerTree,
};

/** The tables hold another ledger under the right key: a fork, or an old backup. Only held notes tell. */
export const replaceTables = async (tx: Transaction, other: BuiltLedger): Promise<void> => replaceAll(tx, other);
