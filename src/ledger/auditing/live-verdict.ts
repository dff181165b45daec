import { availableParallelism } from 'node:os';
import type { Connection } from '../../storage/database.ts';
import { parseVerifierKey } from '../checkpoints/checkpoint.ts';
import { liveSource } from '../verifying/live-source.ts';
import type { Outcome } from '../verifying/verdict.ts';
import { verifyLive } from '../verifying/verify-live.ts';
import { createVerifyPool, verifyHere } from '../verifying/verify-pool.ts';
import type { OnProgress } from './search.ts';

/** Below this, starting threads takes longer than they save. */
const THREADS_FROM_ENTRIES = 20_000;
const THREADS_MAX = 16;

/**
 * Judges the whole stored ledger with the key this house signs with. An auditor who brings a key and older checkpoints of their
 * own learns more (`tongban audit verify`): a house cannot bear witness for itself.
 */
export async function liveVerdict(
  connection: Connection,
  verifierKey: string,
  onProgress?: OnProgress,
): Promise<Outcome> {
  const key = parseVerifierKey(verifierKey);
  if (key === undefined) throw new TypeError('the verifier key of this house is not well formed');
  const source = liveSource(connection);
  const isLarge = (await source.storedSize()) >= THREADS_FROM_ENTRIES;
  const pool = isLarge ? createVerifyPool(Math.min(availableParallelism(), THREADS_MAX)) : verifyHere;
  try {
    return await verifyLive(source, { key, witnesses: [], pool, ...(onProgress === undefined ? {} : { onProgress }) });
  } finally {
    await pool.close();
  }
}
