import test from 'ava';
import { createSm2Verifier, createSoftwareSm2Signer, sm2PublicKey } from '../src/crypto/sm2-software-signer.ts';
import {
  cosign,
  encodeVerifierKey,
  keyIdOf,
  type NoteVerifier,
  noteText,
  parseNote,
  parseVerifierKey,
  signNote,
  verifyCosignature,
  verifyNote,
} from '../src/ledger/checkpoints/checkpoint.ts';
import { parseProofFile, verifyProofFile, writeProofFile } from '../src/ledger/checkpoints/proof-file.ts';
import { EMPTY_ROOT, Frontier, inclusionProof, type NodeReader } from '../src/ledger/tree/merkle.ts';
import { Fault } from '../src/shared/fault.ts';
import {
  altered,
  CHECKPOINT,
  ENTRIES,
  LEAVES,
  ledgerKey,
  NOTE,
  ORIGIN,
  ROOT,
  signer,
} from './support/ledger-vectors.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('L5 a checkpoint that was signed verifies under its origin and key, and under no other', async (t) => {
  const note = await signNote({ origin: ORIGIN, size: 0, root: EMPTY_ROOT }, signer);
  t.deepEqual(verifyNote(note, ledgerKey), { origin: ORIGIN, size: 0, root: EMPTY_ROOT });
  const stranger = createSm2Verifier(sm2PublicKey('2'.padStart(64, '0')));
  t.is(verifyNote(note, { ...stranger, name: ORIGIN }), undefined, 'another key');
  t.is(verifyNote(note, { ...ledgerKey, name: 'elsewhere.example/audit' }), undefined, 'another origin');
  const renamed = note.replace(ORIGIN, 'elsewhere.example/audit');
  t.is(verifyNote(renamed, ledgerKey), undefined);
  t.is(verifyNote(renamed, { ...ledgerKey, name: 'elsewhere.example/audit' }), undefined, 'origin in the text alone');
  const foreign = await signNote({ ...CHECKPOINT, origin: 'elsewhere.example/audit' }, signer);
  const [text, line] = foreign.split('\n\n') as [string, string];
  const signature = Buffer.from(line.slice(line.lastIndexOf(' ') + 1), 'base64').subarray(4);
  const ours = Buffer.concat([keyIdOf(ORIGIN, 'sm2-sm3', signer.publicKey), signature]).toString('base64');
  const relabelled = `${text}\n\n— ${ORIGIN} ${ours}\n`;
  t.true(ledgerKey.verify(Buffer.from(`${text}\n`), signature));
  t.is(verifyNote(relabelled, ledgerKey), undefined, 'our key, under our name, over the ledger of another origin');
  for (const checkpoint of [
    { ...CHECKPOINT, origin: 'two words' },
    { ...CHECKPOINT, origin: 'a+b' },
    { ...CHECKPOINT, origin: '' },
    { ...CHECKPOINT, origin: 'a\nb' },
    { ...CHECKPOINT, size: -1 },
    { ...CHECKPOINT, size: 2 ** 53 },
    { ...CHECKPOINT, root: ROOT.subarray(1) },
  ]) {
    await t.throwsAsync(signNote(checkpoint, signer), { instanceOf: Fault });
  }
});

test('L5 a note is read exactly as it is written, or not at all', (t) => {
  t.is(parseNote(NOTE)?.text, noteText(CHECKPOINT));
  const line = NOTE.slice(NOTE.indexOf('—'));
  const text = noteText(CHECKPOINT);
  const shorter = Buffer.alloc(67, 1).toString('base64');
  const refused: readonly (readonly [string, string])[] = [
    ['empty', ''],
    ['no signature', `${text}\n`],
    ['no blank line', `${text}${line}`],
    ['two blank lines', `${text}\n\n${line}`],
    ['no last line end', NOTE.slice(0, -1)],
    ['a further line end', `${NOTE}\n`],
    ['carriage returns', NOTE.replaceAll('\n', '\r\n')],
    ['a carriage return at the end', NOTE.replace(/\n$/, '\r\n')],
    ['a leading zero', NOTE.replace('\n3\n', '\n03\n')],
    ['a sign', NOTE.replace('\n3\n', '\n+3\n')],
    ['a fraction', NOTE.replace('\n3\n', '\n3.0\n')],
    ['an exponent', NOTE.replace('\n3\n', '\n3e0\n')],
    ['a size past 2^53', NOTE.replace('\n3\n', '\n9007199254740992\n')],
    ['an extension line', NOTE.replace('\n\n', '\nextension\n\n')],
    ['a hyphen', NOTE.replace('—', '-')],
    ['an en dash', NOTE.replace('—', '–')],
    ['a horizontal bar', NOTE.replace('—', '―')],
    ['two spaces', NOTE.replace('— ', '—  ')],
    ['a space at the end', NOTE.replace(/\n$/, ' \n')],
    ['a space before the origin', ` ${NOTE}`],
    ['a byte order mark', `\ufeff${NOTE}`],
    ['another spelling of the root', NOTE.replace('XU2nI=', 'XU2nJ=')],
    ['a root without its padding', NOTE.replace('XU2nI=', 'XU2nI')],
    ['base64url', NOTE.replaceAll('/', '_')],
    ['another spelling of the signature', NOTE.replace('7Pq4=\n', '7Pq5=\n')],
    ['a signature of 63 bytes', `${text}\n— ${ORIGIN} ${shorter}\n`],
    ['the same key twice', `${NOTE}${line}`],
    ['17 signatures', NOTE + Array.from({ length: 16 }, (_, n) => line.replace(ORIGIN, `w${n}`)).join('')],
    ['9 KB', NOTE.replace(ORIGIN, 'x'.repeat(9000))],
  ];
  for (const [name, note] of refused) t.is(parseNote(note), undefined, name);
  const sixteen = NOTE + Array.from({ length: 15 }, (_, n) => line.replace(ORIGIN, `w${n}`)).join('');
  t.is(parseNote(sixteen)?.signatures.length, 16);
});

test('L5 no character of a signed note can be left out, doubled or changed', (t) => {
  const readable = [...altered(NOTE, [' ', '\n', '=', '0'])].filter((note) => parseNote(note) !== undefined);
  t.true(readable.length > 100, `${readable.length} altered notes are well formed`);
  // A signature takes 20 ms to check: every eighth, which meets every part of the note.
  for (const note of readable.filter((_, place) => place % 8 === 0)) {
    if (verifyNote(note, ledgerKey) !== undefined) t.fail(JSON.stringify(note));
  }
});

const WITNESS = 'witness.example/audit-office';
const witnessSigner = createSoftwareSm2Signer('7'.padStart(64, '0'));
const witnessKey: NoteVerifier = { ...createSm2Verifier(witnessSigner.publicKey), name: WITNESS };

test('L6 a cosignature names its time, adds one line, and leaves the signature of the ledger valid', async (t) => {
  const note = await cosign(NOTE, WITNESS, 1_767_225_600, witnessSigner);
  t.true(note.startsWith(NOTE));
  const lines = note.slice(NOTE.length).split('\n');
  t.is(lines.length, 2);
  const blob = Buffer.from(lines[0]!.slice(`— ${WITNESS} `.length), 'base64');
  t.is(blob.length, 4 + 8 + 64);
  t.deepEqual(blob.subarray(0, 4), keyIdOf(WITNESS, 'cosignature-sm2/v1', witnessSigner.publicKey));
  t.is(blob.readBigUInt64BE(4), 1_767_225_600n);
  const signed = Buffer.from(`cosignature-sm2/v1\ntime 1767225600\n${noteText(CHECKPOINT)}`);
  t.true(witnessKey.verify(signed, blob.subarray(12)));
  t.deepEqual(verifyCosignature(note, witnessKey), { checkpoint: CHECKPOINT, unixSeconds: 1_767_225_600 });
  t.deepEqual(verifyNote(note, ledgerKey), CHECKPOINT);

  const again = await cosign(note, WITNESS, 1_767_225_700, witnessSigner);
  t.is(again.length, note.length, 'the same witness replaces its line');
  t.is(verifyCosignature(again, witnessKey)?.unixSeconds, 1_767_225_700);
  const second = createSoftwareSm2Signer('8'.padStart(64, '0'));
  const both = await cosign(again, 'second.example', 1_767_225_800, second);
  t.is(parseNote(both)?.signatures.length, 3);
  t.is(verifyCosignature(both, witnessKey)?.unixSeconds, 1_767_225_700);
  t.truthy(verifyCosignature(both, { ...createSm2Verifier(second.publicKey), name: 'second.example' }));
  await second.close();
  let full = NOTE;
  for (let n = 0; n < 15; n += 1) full = await cosign(full, `w${n}`, 1, witnessSigner);
  t.is(parseNote(full)?.signatures.length, 16);
  await t.throwsAsync(cosign(full, 'w15', 1, witnessSigner), { instanceOf: Fault }, 'a 17th would not be read');
  t.is(await cosign(full, 'w14', 1, witnessSigner).then((note) => parseNote(note)?.signatures.length), 16);
});

test('L6 a cosignature holds for its note, time, name and role alone', async (t) => {
  const note = await cosign(NOTE, WITNESS, 1_767_225_600, witnessSigner);
  t.is(verifyCosignature(NOTE, witnessKey), undefined, 'no cosignature');
  t.is(verifyNote(note, { ...witnessKey, name: ORIGIN }), undefined, 'the witness is not the ledger');
  t.is(verifyCosignature(note, ledgerKey), undefined, 'the ledger is no witness');
  t.is(verifyCosignature(note, { ...witnessKey, name: 'witness.example/other' }), undefined);
  const other = noteText({ ...CHECKPOINT, size: 4 });
  t.is(verifyCosignature(note.replace(noteText(CHECKPOINT), other), witnessKey), undefined, 'another size');
  const withTime = (seconds: bigint): string => {
    const start = note.lastIndexOf(' ') + 1;
    const blob = Buffer.from(note.slice(start, -1), 'base64');
    blob.writeBigUInt64BE(seconds, 4);
    return `${note.slice(0, start)}${blob.toString('base64')}\n`;
  };
  t.is(withTime(1_767_225_600n), note);
  const signedFor = async (seconds: bigint): Promise<string> => {
    const message = Buffer.from(`cosignature-sm2/v1\ntime ${seconds}\n${noteText(CHECKPOINT)}`);
    const blob = Buffer.concat([keyIdOf(WITNESS, 'cosignature-sm2/v1', witnessKey.publicKey), Buffer.alloc(8)]);
    blob.writeBigUInt64BE(seconds, 4);
    const signature = await witnessSigner.sign(message);
    return `${NOTE}— ${WITNESS} ${Buffer.concat([blob, signature]).toString('base64')}\n`;
  };
  t.is(verifyCosignature(await signedFor(1n), witnessKey)?.unixSeconds, 1);
  for (const seconds of [0n, 2n ** 53n]) {
    t.is(verifyCosignature(await signedFor(seconds), witnessKey), undefined, `${seconds}, signed`);
  }
  for (const seconds of [1_767_225_601n, 0n, 2n ** 53n, 2n ** 64n - 1n]) {
    t.is(verifyCosignature(withTime(seconds), witnessKey), undefined, `${seconds}`);
  }
  for (const [text, name, seconds] of [
    ['no note', WITNESS, 1],
    [NOTE, 'two words', 1],
    [NOTE, WITNESS, 0],
    [NOTE, WITNESS, 1.5],
  ] as const) {
    await t.throwsAsync(cosign(text, name, seconds, witnessSigner), { instanceOf: Fault });
  }
});

test('L5 L6 a verifier key is read back with its role, and a wrong letter is noticed', (t) => {
  const text = encodeVerifierKey(ORIGIN, 'sm2-sm3', signer.publicKey);
  t.true(text.startsWith('tongban.example/audit+61db2cd0+BA'));
  const { name, type, publicKey } = parseVerifierKey(text)!;
  t.deepEqual({ name, type, publicKey }, { name: ORIGIN, type: 'sm2-sm3', publicKey: signer.publicKey });
  const witness = encodeVerifierKey(WITNESS, 'cosignature-sm2/v1', witnessSigner.publicKey);
  t.is(parseVerifierKey(witness)?.type, 'cosignature-sm2/v1');
  for (const wrong of altered(text, [' ', '\n', '+', '='])) {
    if (parseVerifierKey(wrong) !== undefined) t.fail(wrong);
  }
  for (const wrong of ['', '+', '++', `${text}\n`, ` ${text}`, text.toUpperCase(), text.slice(0, -1)]) {
    t.is(parseVerifierKey(wrong), undefined, wrong);
  }
  const offCurve = Buffer.from(signer.publicKey);
  offCurve[64]! ^= 1;
  const keyId = hex(keyIdOf(ORIGIN, 'sm2-sm3', offCurve));
  t.is(parseVerifierKey(`${ORIGIN}+${keyId}+${offCurve.toString('base64')}`), undefined, 'off the curve');
  t.throws(() => encodeVerifierKey(ORIGIN, 'sm2-sm3', offCurve), { instanceOf: Fault });
  t.throws(() => encodeVerifierKey('a b', 'sm2-sm3', signer.publicKey), { instanceOf: Fault });
});

const vectorNode: NodeReader = async (height, position) => {
  const frontier = new Frontier();
  const found: Buffer[] = [];
  for (const leaf of LEAVES) {
    frontier.append(leaf, (h, p, hash) => {
      if (h === height && p === position) found.push(hash);
    });
  }
  return found[0]!;
};

test('L7 a proof file shows one entry to be in the ledger, and no other', async (t) => {
  for (const index of [0, 1, 2]) {
    const hashes = await inclusionProof(index, 3, vectorNode);
    const text = writeProofFile({ index, hashes, note: NOTE });
    const lines = hashes.map((hash) => `${hash.toString('base64')}\n`).join('');
    t.is(text, `tongban/tlog-proof-sm3@v1\nindex ${index}\n${lines}\n${NOTE}`);
    t.deepEqual(parseProofFile(text), { index, hashes, note: NOTE });
    for (const [seq, entry] of ENTRIES.entries()) {
      t.deepEqual(verifyProofFile(text, entry, ledgerKey), seq === index ? CHECKPOINT : undefined);
    }
  }
  const single = await signNote({ origin: ORIGIN, size: 1, root: LEAVES[0]! }, signer);
  const alone = writeProofFile({ index: 0, hashes: [], note: single });
  t.truthy(verifyProofFile(alone, ENTRIES[0]!, ledgerKey), 'the only entry needs no hash');
});

test('L7 no character of a proof file can be left out, doubled or changed', async (t) => {
  const text = writeProofFile({ index: 0, hashes: await inclusionProof(0, 3, vectorNode), note: NOTE });
  const end = text.length - NOTE.length;
  for (const head of altered(text.slice(0, end), [' ', '\n', '\r', '1'])) {
    if (verifyProofFile(head + NOTE, ENTRIES[0]!, ledgerKey) !== undefined) t.fail(JSON.stringify(head));
  }
  // With 4 in place of 3 the path has the same shape: the signature alone tells the size.
  t.is(verifyProofFile(text.replace('\n3\n', '\n4\n'), ENTRIES[0]!, ledgerKey), undefined);
  const stranger = createSm2Verifier(sm2PublicKey('2'.padStart(64, '0')));
  t.is(verifyProofFile(text, ENTRIES[0]!, { ...stranger, name: ORIGIN }), undefined);
  const refused: readonly (readonly [string, string])[] = [
    ['empty', ''],
    ['another version', text.replace('@v1', '@v2')],
    ['a leading zero', text.replace('index 0', 'index 00')],
    ['an index beyond the size', text.replace('index 0', 'index 3')],
    ['carriage returns', text.replaceAll('\n', '\r\n')],
    ['without a note', text.slice(0, end)],
    ['text behind the note', `${text}x`],
    ['54 hashes', text.replace('index 0\n', `index 0\n${`${ROOT.toString('base64')}\n`.repeat(52)}`)],
    ['20 KB', text.replace('index 0\n', `index 0\n${'A'.repeat(20_000)}\n`)],
  ];
  for (const [name, file] of refused) t.is(parseProofFile(file), undefined, name);
  t.throws(() => writeProofFile({ index: 3, hashes: [], note: NOTE }), { instanceOf: Fault });
  t.throws(() => writeProofFile({ index: 0, hashes: [ROOT.subarray(1)], note: NOTE }), { instanceOf: Fault });
});
