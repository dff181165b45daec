import { readFile, stat } from 'node:fs/promises';
import { z } from 'zod';
import { createSm2Verifier } from '../crypto/sm2-software-signer.ts';
import { signedTree } from '../ledger/auditing/signed-tree.ts';
import { parseVerifierKey, type VerifierKey } from '../ledger/checkpoints/checkpoint.ts';
import {
  PROOF_FILE_EXTENSION,
  parseProofFile,
  verifyProofFile,
  writeProofFile,
} from '../ledger/checkpoints/proof-file.ts';
import { inclusionProof } from '../ledger/tree/merkle.ts';
import { type AuditContext, inOffice } from './audit-office.ts';
import { type ExitCode, FILE_EXISTS, flag, path, Refused, understand, wholeNumber } from './audit-words.ts';
import { keysIn } from './key-file.ts';
import { writePrivateFile } from './private-file.ts';

export const USAGE = `tongban audit prove SEQ [--out FILE] [--force] [--json]    the proof that an entry stands in the ledger, and its text
tongban audit check-proof FILE ENTRYFILE --key TEXT|FILE [--json]
  prove --out FILE writes the proof to FILE and the entry beside it, with .entry.json in place of ${PROOF_FILE_EXTENSION}
  check-proof needs no server and no configuration: 0 proven, 1 not proven, 2 cannot decide
`;

const PROVE_OPTIONS = { out: { type: 'string' }, force: { type: 'boolean' }, json: { type: 'boolean' } } as const;
const proveWords = z.strictObject({ out: path.optional(), force: flag, json: flag });
const CHECK_OPTIONS = { key: { type: 'string' }, json: { type: 'boolean' } } as const;
const checkWords = z.strictObject({
  key: z.string('--key is missing: the key of the ledger, which you keep since it began.').pipe(path),
  json: flag,
});

const FILE_BYTES_MAX = 65_536;
const ENTRY_EXTENSION = '.entry.json';
const numberOf = wholeNumber('SEQ', 0, Number.MAX_SAFE_INTEGER);

/** `tongban audit prove SEQ`: a proof file (L7) and the entry it is for. Taking it out is an export and is recorded as one. */
export async function prove(args: readonly string[], context: AuditContext): Promise<ExitCode> {
  const { words, operands } = understand(args, PROVE_OPTIONS, proveWords, USAGE, 1);
  const asked = numberOf.safeParse(operands[0]);
  if (!asked.success) throw new Refused('SEQ is the number of an entry.', 2);
  const index = asked.data;
  return inOffice<ExitCode>(context, async ({ house, settle }) => {
    const { database, ledger, ledgerReader } = house;
    const tree = await signedTree(database);
    const [found] = await ledgerReader.read(index, 1);
    if (tree === undefined || found?.seq !== index) {
      throw new Refused(`The signed ledger has no entry ${index}, or it was removed after its retention.`);
    }
    const hashes = await inclusionProof(index, tree.size, tree.node);
    const proof = writeProofFile({ index, hashes, note: tree.note });
    const details = { from: index, to: index + 1, count: 1, format: 'proof', opened: false };
    await ledger.record({ type: 'audit.export', details });
    await settle();
    if (words.out === undefined) {
      const both = words.json
        ? `${JSON.stringify({ seq: index, entry: found.entry, proof })}\n`
        : `${found.entry}\n\n${proof}`;
      context.stdout.write(both);
      return 0;
    }
    const entryFile = words.out.replace(/\.tlog-proof$/, '') + ENTRY_EXTENSION;
    for (const [file, text] of [
      [entryFile, found.entry],
      [words.out, proof],
    ] as const) {
      const outcome = await writePrivateFile(file, [text], { force: words.force });
      if (outcome === 'exists') throw new Refused(FILE_EXISTS);
    }
    const said = { seq: index, size: tree.size, proof: words.out, entry: entryFile };
    const check = `Entry ${index} stands in the ledger of ${tree.size} entries. Check it with: tongban audit check-proof PROOF ENTRY --key KEY`;
    context.stdout.write(words.json ? `${JSON.stringify(said)}\n` : `${check}\n`);
    return 0;
  });
}

/** `tongban audit check-proof FILE ENTRYFILE --key KEY`: on any machine. */
export async function checkProof(args: readonly string[], context: AuditContext): Promise<ExitCode> {
  const { words, operands } = understand(args, CHECK_OPTIONS, checkWords, USAGE, 2);
  const [proofFile = '', entryFile = ''] = operands;
  const key = await readKey(words.key);
  const proof = await readSmall(proofFile);
  // Editors end a file with a line; a canonical entry never does.
  const entry = (await readSmall(entryFile)).replace(/\r?\n$/, '');
  const parsed = parseProofFile(proof);
  if (parsed === undefined) throw new Refused('This is no proof of an entry of a ledger.', 2);
  const checkpoint = verifyProofFile(proof, entry, { ...createSm2Verifier(key.publicKey), name: key.name });
  const isProven = checkpoint !== undefined;
  const said = {
    proven: isProven,
    seq: parsed.index,
    ...(isProven ? { size: checkpoint.size, origin: key.name } : {}),
  };
  const sentence = isProven
    ? `Proven: entry ${parsed.index} stands in the ledger ${key.name} as signed with ${checkpoint.size} entries.`
    : 'Not proven: the entry, the proof or the signature is not the one of this ledger.';
  context.stdout.write(words.json ? `${JSON.stringify(said)}\n` : `${sentence}\n`);
  return isProven ? 0 : 1;
}

/** The key of a ledger, as text or in a file. Throws `Refused` when it is none. */
export async function readKey(textOrFile: string): Promise<VerifierKey> {
  const key = parseVerifierKey(textOrFile) ?? parseVerifierKey(keysIn(await readSmall(textOrFile)).join('\n'));
  if (key?.type === 'sm2-sm3') return key;
  throw new Refused('--key is not the key of a ledger: name, key id and public key, divided by +.', 2);
}

export async function readSmall(file: string): Promise<string> {
  try {
    if ((await stat(file)).size <= FILE_BYTES_MAX) return await readFile(file, 'utf8');
  } catch {
    // Whatever the reason, the sentence is the same.
  }
  throw new Refused('A file that was named cannot be read, or is larger than 64 KiB.', 2);
}
