import type { SignatureVerifier } from '../../crypto/signer.ts';
import type { Database } from '../../storage/database.ts';
import { loadTree, type Mismatch } from './tree-load.ts';

const LOCK = 'UPDATE ledger_tree SET size = size WHERE id = $1';

/** The stored ledger continues what was signed. Entries beyond `size` are committed and merely not hashed yet. */
export interface StartAllowed {
  readonly ok: true;
  /** Entries hashed into the tree. */
  readonly size: number;
  /** Entries covered by the newest checkpoint. */
  readonly signedSize: number;
}

/**
 * Whether a server may begin to serve on this store (L10): the newest checkpoint bears our signature, nothing it covers has
 * been cut off, and the stored right edge gives the root that was signed. Otherwise one sentence for the operator; the caller
 * refuses to serve with `Fault('ledger_mismatch')`. Takes milliseconds at any size of the ledger, most of them for one SM2
 * signature; run it before requests are taken.
 */
export async function checkAtStart(
  database: Database,
  verifier: SignatureVerifier,
  origin: string,
): Promise<StartAllowed | Mismatch> {
  const loaded = await database.write(async (tx) => {
    // Another node may be sequencing: under its lock the rows we read belong together.
    await tx.run(LOCK, [1]);
    return loadTree(tx, { ...verifier, name: origin }, async () => {});
  });
  if (!loaded.ok) return loaded;
  return { ok: true, size: loaded.tree.size, signedSize: loaded.signedSize };
}
