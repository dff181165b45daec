import { hash } from 'node:crypto';
import type { ExecutionContext } from 'ava';
import type { Signer } from '../../src/crypto/signer.ts';
import { createSm2Verifier, createSoftwareSm2Signer, sm2PublicKey } from '../../src/crypto/sm2-software-signer.ts';
import { type Sequencer, type SequencerOptions, startSequencer } from '../../src/ledger/sequencing/sequencer.ts';
import type { Database } from '../../src/storage/database.ts';
import { TEST_ORIGIN, TEST_PRIVATE_KEY } from './sequencer-entries.ts';

const sm3 = (...parts: readonly Uint8Array[]): Buffer => hash('sm3', Buffer.concat(parts), 'buffer');

/** RFC 6962 2.1 as it is written there, over the hashes of the leaves: slow, and independent of the code under test. */
export function naiveRoot(leaves: readonly Buffer[]): Buffer {
  if (leaves.length <= 1) return leaves[0] ?? sm3();
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return sm3(Buffer.of(1), naiveRoot(leaves.slice(0, split)), naiveRoot(leaves.slice(split)));
}

export function naiveLeaf(seq: number, entry: string): Buffer {
  const number = Buffer.alloc(8);
  number.writeBigUInt64BE(BigInt(seq));
  return sm3(Buffer.of(0), number, Buffer.from(entry));
}

export interface StoredRow {
  readonly seq: number;
  readonly entry: string;
}

export const storedEntries = (database: Database): Promise<StoredRow[]> =>
  database.all<StoredRow>('SELECT seq, entry FROM ledger_entries WHERE seq >= $1 ORDER BY seq', [0]);

/** The hashes of all leaves, after a look that the numbers have no gap. */
export async function storedLeaves(t: ExecutionContext, database: Database): Promise<readonly Buffer[]> {
  const rows = await storedEntries(database);
  t.true(
    rows.every(({ seq }, index) => seq === index),
    'the numbers have a gap',
  );
  return rows.map(({ seq, entry }) => naiveLeaf(seq, entry));
}

export const testVerifier = createSm2Verifier(sm2PublicKey(TEST_PRIVATE_KEY));

export function testSigner(t: ExecutionContext): Signer {
  const signer = createSoftwareSm2Signer(TEST_PRIVATE_KEY);
  t.teardown(() => signer.close());
  return signer;
}

/** A sequencer that ends with the test and fails it with whatever it reports, unless the test listens itself. */
export function testSequencer(
  t: ExecutionContext,
  options: Partial<SequencerOptions> & { database: Database },
): Sequencer {
  const sequencer = startSequencer({
    signer: options.signer ?? testSigner(t),
    origin: TEST_ORIGIN,
    intervalMs: 20,
    leaseMs: 300,
    onFault: (error) => t.fail(String(error)),
    ...options,
  });
  t.teardown(() => sequencer.stop());
  return sequencer;
}
