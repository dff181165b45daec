import { readFile, stat } from 'node:fs/promises';
import { createSm2Verifier } from '../crypto/sm2-software-signer.ts';
import {
  type Checkpoint,
  parseVerifierKey,
  type VerifierKey,
  verifyCosignature,
  verifyNote,
} from '../ledger/checkpoints/checkpoint.ts';
import { ArchiveDamaged, type Manifest } from './archive.ts';
import { keysIn } from './key-file.ts';

/** The newest checkpoint that a witness holds, and the key it is trusted under. */
export interface Testimony {
  readonly note: string;
  readonly key: VerifierKey;
}

/** What the testimony says of a backup: a sentence, and how many entries are missing. */
export interface Finding {
  readonly sentence: string;
  readonly missing: number;
}

const FILE_BYTES_MAX = 64 * 1024;

/** Reads what an operator named: the note a file, the key a text or a file. Throws `ArchiveDamaged` where one of them is none. */
export async function readTestimony(noteFile: string, keyTextOrFile: string): Promise<Testimony> {
  const keyText = parseVerifierKey(keyTextOrFile) === undefined ? await readSmall(keyTextOrFile) : keyTextOrFile;
  const key = parseVerifierKey(keysIn(keyText).join('\n'));
  // A ledger's own key would let whoever holds it be its own witness.
  if (key?.type !== 'cosignature-sm2/v1') throw new ArchiveDamaged('--witness-key is not the key of a witness.');
  return { note: await readSmall(noteFile), key };
}

/**
 * How far the ledger of a backup is behind what its witness has cosigned. The note must bear the witness's signature, and that of the
 * ledger where the backup says by which key it signs; nothing in it counts otherwise. Pure. Throws `ArchiveDamaged`.
 */
export function againstWitness({ ledger }: Manifest, { note, key }: Testimony): Finding {
  const seen = verifyCosignature(note, { ...createSm2Verifier(key.publicKey), name: key.name })?.checkpoint;
  if (seen === undefined) throw new ArchiveDamaged('The note does not bear the signature of this witness.');
  if (seen.origin !== ledger.origin || !isSignedBy(note, ledger.key)) {
    throw new ArchiveDamaged('The witness’s note is of another ledger.');
  }
  return compared(ledger, seen);
}

function isSignedBy(note: string, verifierKey: string | undefined): boolean {
  // Backups of earlier versions do not name it; then the witness alone vouches for the note, as it verified that signature itself.
  if (verifierKey === undefined) return true;
  const key = parseVerifierKey(verifierKey);
  return (
    key?.type === 'sm2-sm3' && verifyNote(note, { ...createSm2Verifier(key.publicKey), name: key.name }) !== undefined
  );
}

function compared(ledger: Manifest['ledger'], seen: Checkpoint): Finding {
  if (seen.size === ledger.size && seen.root.toString('base64') !== ledger.root) {
    throw new ArchiveDamaged(
      'The witness has seen another ledger of this size: this backup is not what was shown then.',
    );
  }
  const missing = Math.max(0, seen.size - ledger.size);
  if (missing > 0) {
    return {
      sentence: `${missing} entries that the witness has seen came after this backup and are not in it.\n`,
      missing,
    };
  }
  return seen.size === ledger.size
    ? { sentence: 'Everything the witness has seen is in this backup.\n', missing }
    : {
        sentence: `The witness has seen ${seen.size} entries and this backup holds ${ledger.size}: audit verify --checkpoints proves that they are the same ones.\n`,
        missing,
      };
}

async function readSmall(file: string): Promise<string> {
  const size = await stat(file).then(
    (found) => found.size,
    () => undefined,
  );
  if (size === undefined) throw new ArchiveDamaged(`${file} cannot be read.`);
  if (size > FILE_BYTES_MAX) throw new ArchiveDamaged(`${file} is larger than a note or a key can be.`);
  return readFile(file, 'utf8');
}
