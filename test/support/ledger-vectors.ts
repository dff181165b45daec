import { createSm2Verifier, createSoftwareSm2Signer } from '../../src/crypto/sm2-software-signer.ts';
import { type Checkpoint, type NoteVerifier, noteText } from '../../src/ledger/checkpoints/checkpoint.ts';
import { canonicalEntry, commitment, type LedgerEntry } from '../../src/ledger/entry.ts';
import { leafHash } from '../../src/ledger/tree/merkle.ts';

/** The key pair of GB/T 32918.5 A.2, and three entries everybody who writes a verifier can build. */
const PRIVATE_KEY = '3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8';
export const ORIGIN = 'tongban.example/audit';
export const signer = createSoftwareSm2Signer(PRIVATE_KEY);
export const ledgerKey: NoteVerifier = { ...createSm2Verifier(signer.publicKey), name: ORIGIN };

export const SALT = Buffer.from(Array.from({ length: 32 }, (_, index) => index));
const vectorEntry = (seq: number, members: Partial<LedgerEntry>): string =>
  canonicalEntry({
    v: 1,
    ts: `2026-01-01T00:00:0${seq}.000Z`,
    node: 'n1',
    type: '',
    outcome: 'success',
    actor: 'system',
    subject: null,
    client: null,
    ip: null,
    ua: null,
    corr: `${seq}`,
    data: {},
    ...members,
  });
export const ENTRIES = [
  vectorEntry(0, { type: 'audit.start' }),
  vectorEntry(1, {
    type: 'login.password',
    outcome: 'failure',
    actor: 'anonymous',
    ip: commitment('ip', SALT, '192.0.2.1'),
  }),
  vectorEntry(2, { type: 'audit.stop' }),
];
export const LEAVES = ENTRIES.map((entry, seq) => leafHash(seq, entry));
export const ROOT = Buffer.from('594205f4effa62c6cdc6a60b548e0d0a4ac470e953f7b508eba7f3d7d5d4da72', 'hex');
export const CHECKPOINT: Checkpoint = { origin: ORIGIN, size: 3, root: ROOT };
export const NOTE = `${noteText(CHECKPOINT)}
— tongban.example/audit Ydss0ApTuyXvpq3iowDXh/6U0CcAlAyyB58WIG3HLO/2Zsa5EJcrQBliihyjdWHu3/aqFtxQWrT8/10AqMGUMU97Pq4=
`;

/** Every place of `text` with its character left out, doubled, and changed into its neighbour and into some others. */
export function* altered(text: string, others: readonly string[]): Generator<string> {
  for (let place = 0; place < text.length; place += 1) {
    const [before, at, after] = [text.slice(0, place), text[place]!, text.slice(place + 1)];
    const neighbour = String.fromCharCode(at.charCodeAt(0) ^ 1);
    for (const instead of ['', at + at, neighbour, ...others]) {
      if (instead !== at) yield before + instead + after;
    }
  }
}
