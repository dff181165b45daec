import { sm3 } from '../../crypto/digests.ts';
import { isSm2PublicKey, type SignatureVerifier, type Signer, SM2_SIGNATURE_BYTES } from '../../crypto/signer.ts';
import { Fault } from '../../shared/fault.ts';
import { HASH_BYTES } from '../tree/merkle.ts';
import { isSize } from '../tree/tree-shape.ts';

/** The ledger of `origin` at one moment: how many entries, and the root over them. */
export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Buffer;
}

export interface NoteSignature {
  readonly name: string;
  readonly keyId: Buffer;
  /** R || S, or uint64be(time) || R || S of a witness. */
  readonly signature: Buffer;
}

/** A note taken apart, nothing verified yet. `text` is what the ledger signed: three lines with their ends. */
export interface ParsedNote {
  readonly checkpoint: Checkpoint;
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** What a key is for: it enters the key id, so that a witness's key can never pass for a ledger's (L5, L6). */
export const KEY_TYPES = ['sm2-sm3', 'cosignature-sm2/v1'] as const;
export type KeyType = (typeof KEY_TYPES)[number];

/** The public key somebody trusts, under the name it signs with. */
export interface VerifierKey {
  readonly name: string;
  readonly type: KeyType;
  readonly keyId: Buffer;
  /** 65 bytes: 0x04 || X || Y. */
  readonly publicKey: Buffer;
}

/** Checks the signatures of one name: `createSm2Verifier(key.publicKey)` and the name it is trusted under. */
export interface NoteVerifier extends SignatureVerifier {
  readonly name: string;
}

const KEY_ID_BYTES = 4;
const TIME_BYTES = 8;
const NOTE_CHARS_MAX = 8192;
const SIGNATURES_MAX = 16;
/** ASCII without space and plus, which divide the lines and keys names stand in; no letters that only look alike. */
const NAME = /^[!-*,-~]{1,128}$/;
const TEXT = /^(?<origin>[^\n]+)\n(?<size>0|[1-9]\d{0,15})\n(?<root>[A-Za-z0-9+/]{43}=)\n$/;
const SIGNATURE_LINE = /^— (?<name>[^ ]+) (?<blob>[A-Za-z0-9+/]+={0,2})$/;
const KEY = /^(?<name>[^+]+)\+(?<keyId>[0-9a-f]{8})\+(?<publicKey>[A-Za-z0-9+/]+={0,2})$/;

/** What is signed: `origin`, size and root, a line each (L5). Throws `Fault('internal')` when one of them is not well formed. */
export function noteText({ origin, size, root }: Checkpoint): string {
  if (!NAME.test(origin) || !isSize(size) || root.length !== HASH_BYTES) {
    throw new Fault('internal', 'A checkpoint needs an origin in ASCII without spaces, a size and a root of 32 bytes.');
  }
  return `${origin}\n${size}\n${root.toString('base64')}\n`;
}

/** Takes a note apart; undefined when one character of it is not as `signNote` and `cosign` write it. */
export function parseNote(note: string): ParsedNote | undefined {
  if (note.length > NOTE_CHARS_MAX) return undefined;
  const gap = note.indexOf('\n\n');
  if (gap < 0 || !note.endsWith('\n')) return undefined;
  const text = note.slice(0, gap + 1);
  const checkpoint = parseText(text);
  const signatures = parseSignatures(note.slice(gap + 2, -1).split('\n'));
  return checkpoint === undefined || signatures === undefined ? undefined : { checkpoint, text, signatures };
}

function parseText(text: string): Checkpoint | undefined {
  const { origin, size, root } = TEXT.exec(text)?.groups ?? {};
  if (origin === undefined || root === undefined || !NAME.test(origin) || !isSize(Number(size))) return undefined;
  const bytes = canonicalBase64(root);
  return bytes === undefined ? undefined : { origin, size: Number(size), root: bytes };
}

function parseSignatures(lines: readonly string[]): readonly NoteSignature[] | undefined {
  if (lines.length > SIGNATURES_MAX) return undefined;
  const signatures: NoteSignature[] = [];
  for (const line of lines) {
    const { name = '', blob = '' } = SIGNATURE_LINE.exec(line)?.groups ?? {};
    const bytes = canonicalBase64(blob);
    if (!NAME.test(name) || bytes === undefined) return undefined;
    const [keyId, signature] = [bytes.subarray(0, KEY_ID_BYTES), bytes.subarray(KEY_ID_BYTES)];
    if (![SM2_SIGNATURE_BYTES, TIME_BYTES + SM2_SIGNATURE_BYTES].includes(signature.length)) return undefined;
    // Two answers of one key would leave it to the reader which one counts.
    if (signatures.some((other) => other.name === name && other.keyId.equals(keyId))) return undefined;
    signatures.push({ name, keyId, signature });
  }
  return signatures;
}

/** The checkpoint as a note signed by the ledger's key (L5). */
export async function signNote(checkpoint: Checkpoint, signer: Signer): Promise<string> {
  const text = noteText(checkpoint);
  const signature = await signer.sign(Buffer.from(text, 'utf8'));
  const keyId = keyIdOf(checkpoint.origin, 'sm2-sm3', signer.publicKey);
  return `${text}\n${lineOf({ name: checkpoint.origin, keyId, signature })}`;
}

/** The checkpoint in a note when its origin is `verifier.name` and that key signed it; undefined otherwise. */
export function verifyNote(note: string, verifier: NoteVerifier): Checkpoint | undefined {
  const parsed = parseNote(note);
  if (parsed === undefined || parsed.checkpoint.origin !== verifier.name) return undefined;
  const signature = signatureOf(parsed, 'sm2-sm3', verifier);
  return signature !== undefined && verifier.verify(Buffer.from(parsed.text, 'utf8'), signature)
    ? parsed.checkpoint
    : undefined;
}

/**
 * The note with the line of a witness at its end, in place of an earlier line of the same key (L6). The witness has verified the
 * note and its consistency before. Throws `Fault('internal')` for what is no note, no name or no time, and when the note is full.
 */
export async function cosign(note: string, name: string, unixSeconds: number, signer: Signer): Promise<string> {
  const parsed = parseNote(note);
  if (parsed === undefined || !NAME.test(name) || !isSize(unixSeconds) || unixSeconds === 0) {
    throw new Fault('internal', 'Only a well-formed note can be cosigned, under a name in ASCII and with a time.');
  }
  const keyId = keyIdOf(name, 'cosignature-sm2/v1', signer.publicKey);
  const others = parsed.signatures.filter((other) => other.name !== name || !other.keyId.equals(keyId));
  if (others.length >= SIGNATURES_MAX) throw new Fault('internal', `A note has room for ${SIGNATURES_MAX} signatures.`);
  const time = Buffer.alloc(TIME_BYTES);
  time.writeBigUInt64BE(BigInt(unixSeconds));
  const signature = await signer.sign(cosignedMessage(parsed.text, unixSeconds));
  const lines = [...others, { name, keyId, signature: Buffer.concat([time, signature]) }].map(lineOf);
  return `${parsed.text}\n${lines.join('')}`;
}

/** The checkpoint a witness has cosigned and when; undefined when `verifier` did not, or when anything is malformed. */
export function verifyCosignature(
  note: string,
  verifier: NoteVerifier,
): { readonly checkpoint: Checkpoint; readonly unixSeconds: number } | undefined {
  const parsed = parseNote(note);
  if (parsed === undefined) return undefined;
  const signature = signatureOf(parsed, 'cosignature-sm2/v1', verifier);
  if (signature === undefined) return undefined;
  const unixSeconds = Number(signature.readBigUInt64BE(0));
  if (!isSize(unixSeconds) || unixSeconds === 0) return undefined;
  return verifier.verify(cosignedMessage(parsed.text, unixSeconds), signature.subarray(TIME_BYTES))
    ? { checkpoint: parsed.checkpoint, unixSeconds }
    : undefined;
}

/**
 * The note with no line but that of the ledger's key: whoever handed it over may have added others. Undefined when `verifyNote`
 * would be.
 */
export function signedLines(note: string, verifier: NoteVerifier): string | undefined {
  const parsed = parseNote(note);
  if (parsed === undefined || verifyNote(note, verifier) === undefined) return undefined;
  const keyId = keyIdOf(verifier.name, 'sm2-sm3', verifier.publicKey);
  const own = parsed.signatures.filter((one) => one.name === verifier.name && one.keyId.equals(keyId));
  return `${parsed.text}\n${own.map(lineOf).join('')}`;
}

const cosignedMessage = (text: string, unixSeconds: number): Buffer =>
  Buffer.from(`cosignature-sm2/v1\ntime ${unixSeconds}\n${text}`, 'utf8');

function signatureOf({ signatures }: ParsedNote, type: KeyType, { name, publicKey }: NoteVerifier): Buffer | undefined {
  const keyId = keyIdOf(name, type, publicKey);
  const bytes = SM2_SIGNATURE_BYTES + (type === 'sm2-sm3' ? 0 : TIME_BYTES);
  return signatures.find((one) => one.name === name && one.keyId.equals(keyId) && one.signature.length === bytes)
    ?.signature;
}

const lineOf = ({ name, keyId, signature }: NoteSignature): string =>
  `— ${name} ${Buffer.concat([keyId, signature]).toString('base64')}\n`;

/** The first 4 bytes of SM3(name || 0x0A || 0xFF || type || 04 || X || Y) (L5): finds a key, proves nothing. */
export const keyIdOf = (name: string, type: KeyType, publicKey: Uint8Array): Buffer =>
  sm3(Buffer.concat([Buffer.from(name), Buffer.of(0x0a, 0xff), Buffer.from(type), publicKey])).subarray(
    0,
    KEY_ID_BYTES,
  );

/** `name+keyid+key`, as it is handed to those who verify. Throws `Fault('internal')` when the parts are not well formed. */
export function encodeVerifierKey(name: string, type: KeyType, publicKey: Uint8Array): string {
  if (!NAME.test(name) || !isSm2PublicKey(publicKey))
    throw new Fault('internal', 'The verifier key is not well formed.');
  const keyId = keyIdOf(name, type, publicKey).toString('hex');
  return `${name}+${keyId}+${Buffer.from(publicKey).toString('base64')}`;
}

/** Reads a verifier key; which type it is shows in its key id. Undefined for anything else, also a point off the curve. */
export function parseVerifierKey(text: string): VerifierKey | undefined {
  const { name = '', keyId = '', publicKey: base64 = '' } = KEY.exec(text)?.groups ?? {};
  const publicKey = canonicalBase64(base64);
  if (!NAME.test(name) || publicKey === undefined || !isSm2PublicKey(publicKey)) return undefined;
  const type = KEY_TYPES.find((one) => keyIdOf(name, one, publicKey).toString('hex') === keyId);
  return type === undefined ? undefined : { name, type, keyId: Buffer.from(keyId, 'hex'), publicKey };
}

/** Base64 has several spellings of the same bytes (RFC 4648 3.5); here only the one an encoder writes is read. */
export function canonicalBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}
