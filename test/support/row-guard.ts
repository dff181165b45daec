import { randomBytes } from 'node:crypto';
import type { ExecutionContext } from 'ava';
import { configuredRowKey, createRowSeals } from '../../src/crypto/row-seals.ts';
import { createSealer } from '../../src/crypto/sealing.ts';
import { openSecretRing } from '../../src/crypto/secret-ring.ts';
import type { Database } from '../../src/storage/database.ts';
import type { RowGuard } from '../../src/storage/row-guard.ts';
import { fixedMaster } from './key-house.ts';

/** Judges rows as a house on this store does, with keys of its own; `told` are the rows that did not match. */
export async function rowGuard(
  t: ExecutionContext,
  database: Database,
  refuses = true,
): Promise<RowGuard & { readonly told: readonly string[] }> {
  const root = randomBytes(32);
  const ring = await openSecretRing({
    database,
    master: fixedMaster(createSealer(root)),
    configured: { sealing: root, index: root, pepper: root, cookies: root, rows: configuredRowKey(root) },
  });
  t.teardown(() => ring.close());
  const seals = createRowSeals(root);
  seals.follow(ring);
  const told: string[] = [];
  return { seals, refuses, told, tell: (place) => told.push(place) };
}
