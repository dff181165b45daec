import { createHash } from 'node:crypto';
import { Fault } from '../../shared/fault.ts';
import { equalInConstantTime, sm3 } from '../digests.ts';
import { SM2_PUBLIC_KEY_BYTES, SM2_SIGNATURE_BYTES, SM2_USER_ID } from '../signer.ts';
import { sm2Engine } from './engine.ts';

/** A point of the curve that signatures are verified and texts encrypted with. */
export interface Sm2PublicKey {
  /** 65 bytes: 0x04 || X || Y. */
  readonly bytes: Buffer;
}

/** A handle: the private number is in this file, where no log and no serializer finds it. */
export interface Sm2PrivateKey {
  readonly publicKey: Sm2PublicKey;
}

interface Secrets {
  readonly d: Buffer;
  readonly signingFactor: Buffer;
}

const PRIVATE_KEY_BYTES = 32;
const POINT_BYTES = 64;
const C3_BYTES = 32;
const USER_ID_BYTES_MAX = 8191;
const CIPHERTEXT_HEAD_BYTES = SM2_PUBLIC_KEY_BYTES + C3_BYTES;
const UNCOMPRESSED = Uint8Array.of(4);

/** a, b, and the base point of GB/T 32918.5, as they enter Z. */
const CURVE = Buffer.from(
  'fffffffeffffffffffffffffffffffffffffffff00000000fffffffffffffffc' +
    '28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93' +
    '32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7' +
    'bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0',
  'hex',
);

const secretsOf = new WeakMap<Sm2PrivateKey, Secrets>();
const zOf = new WeakMap<Sm2PublicKey, Buffer>();

/**
 * The key of 65 bytes, 04 || X || Y, or of the last 64 of them. `userId` (UTF-8) enters every signature through Z. Throws
 * `Fault('internal')` for anything that is no point of the curve: one off it would let a forger choose an easier group (V59).
 */
export function readSm2PublicKey(bytes: Uint8Array, userId: string = SM2_USER_ID): Sm2PublicKey {
  const whole = bytes.length === POINT_BYTES ? Buffer.concat([UNCOMPRESSED, bytes]) : Buffer.from(bytes);
  if (whole.length !== SM2_PUBLIC_KEY_BYTES || whole[0] !== 4 || !sm2Engine().isPoint(whole.subarray(1))) {
    throw new Fault('internal', 'The SM2 public key is no point of the curve.');
  }
  const key: Sm2PublicKey = { bytes: whole };
  zOf.set(key, computeZ(whole, userId));
  return key;
}

/**
 * The key of 32 bytes, from 1 to n - 2; they are copied. Throws `Fault('internal')` for anything else, without repeating it.
 */
export function readSm2PrivateKey(bytes: Uint8Array, userId: string = SM2_USER_ID): Sm2PrivateKey {
  const point = bytes.length === PRIVATE_KEY_BYTES ? sm2Engine().publicKey(bytes) : undefined;
  if (point === undefined) throw new Fault('internal', 'The SM2 private key is not a valid one.');
  const key: Sm2PrivateKey = { publicKey: readSm2PublicKey(point, userId) };
  const d = Buffer.alloc(PRIVATE_KEY_BYTES);
  d.set(bytes);
  secretsOf.set(key, { d, signingFactor: sm2Engine().signingFactor(bytes) });
  return key;
}

/** Zeroes the private number. The key signs and decrypts no more. */
export function wipeSm2PrivateKey(key: Sm2PrivateKey): void {
  const secrets = secretsOf.get(key);
  secrets?.d.fill(0);
  secrets?.signingFactor.fill(0);
  secretsOf.delete(key);
}

/** GB/T 32918.2 over SM3(Z || message): 64 bytes, r || s. Sixty microseconds at most, on the spot. */
export function signSm2(message: Uint8Array, key: Sm2PrivateKey): Buffer {
  return sm2Engine().sign(digestSm2(message, key.publicKey), held(key).signingFactor);
}

/** False for everything that is not exactly 64 bytes of r || s, both from 1 to n - 1, over this message. */
export function verifySm2(message: Uint8Array, signature: Uint8Array, key: Sm2PublicKey): boolean {
  return (
    signature.length === SM2_SIGNATURE_BYTES &&
    sm2Engine().verify(digestSm2(message, key), signature, key.bytes.subarray(1))
  );
}

/** e = SM3(Z || message), which is what is signed. */
export function digestSm2(message: Uint8Array, key: Sm2PublicKey): Buffer {
  const z = zOf.get(key);
  if (z === undefined) throw new Fault('internal', 'This SM2 public key was not read by readSm2PublicKey.');
  return createHash('sm3').update(z).update(message).digest();
}

/** GB/T 32918.4: 04 || X1 || Y1 || C3 || C2, which is 97 bytes longer than the text. Throws `Fault('internal')` for an empty text. */
export function encryptSm2(text: Uint8Array, key: Sm2PublicKey): Buffer {
  if (text.length === 0) throw new Fault('internal', 'SM2 encrypts no empty text.');
  for (;;) {
    const share = sm2Engine().share(key.bytes.subarray(1));
    if (share === undefined) throw new Fault('internal', 'The SM2 public key is no point of the curve.');
    const sealed = sealWithShare(text, share.kept);
    if (sealed !== undefined) return Buffer.concat([UNCOMPRESSED, share.sent, sealed]);
  }
}

/** The text, or undefined for anything that was not encrypted to this key: one answer, whatever is wrong with it. */
export function decryptSm2(ciphertext: Uint8Array, key: Sm2PrivateKey): Buffer | undefined {
  if (ciphertext.length <= CIPHERTEXT_HEAD_BYTES || ciphertext[0] !== 4) return undefined;
  const kept = sm2Engine().multiply(held(key).d, ciphertext.subarray(1, SM2_PUBLIC_KEY_BYTES));
  if (kept === undefined) return undefined;
  const c3 = ciphertext.subarray(SM2_PUBLIC_KEY_BYTES, CIPHERTEXT_HEAD_BYTES);
  const c2 = ciphertext.subarray(CIPHERTEXT_HEAD_BYTES);
  const mask = deriveMask(kept, c2.length);
  const text = Buffer.from(c2.map((byte, index) => byte ^ mask[index]!));
  const genuine = isMask(mask) && equalInConstantTime(c3, checksum(kept, text));
  mask.fill(0);
  kept.fill(0);
  if (genuine) return text;
  text.fill(0);
  return undefined;
}

/** C3 || C2 under the shared point, which is zero afterwards. Undefined in the case the standard wants another nonce for. */
export function sealWithShare(text: Uint8Array, kept: Buffer): Buffer | undefined {
  const mask = deriveMask(kept, text.length);
  const usable = isMask(mask);
  const c3 = checksum(kept, text);
  const c2 = mask.map((byte, index) => byte ^ text[index]!);
  mask.fill(0);
  kept.fill(0);
  return usable ? Buffer.concat([c3, c2]) : undefined;
}

function held(key: Sm2PrivateKey): Secrets {
  const secrets = secretsOf.get(key);
  if (secrets === undefined) throw new Fault('internal', 'This SM2 private key has been wiped.');
  return secrets;
}

/** GB/T 32918.2 5.5. */
function computeZ(publicKey: Buffer, userId: string): Buffer {
  const id = Buffer.from(userId, 'utf8');
  if (id.length > USER_ID_BYTES_MAX) throw new Fault('internal', 'The SM2 user id is too long.');
  const bits = Buffer.alloc(2);
  bits.writeUInt16BE(id.length * 8);
  return sm3(Buffer.concat([bits, id, CURVE, publicKey.subarray(1)]));
}

/** The key derivation function of GB/T 32918.4 5.4.3 over X2 || Y2. */
function deriveMask(kept: Uint8Array, length: number): Buffer {
  const blocks: Buffer[] = [];
  for (let counter = 1; blocks.length * C3_BYTES < length; counter += 1) {
    const number = Buffer.alloc(4);
    number.writeUInt32BE(counter);
    blocks.push(createHash('sm3').update(kept).update(number).digest());
  }
  return Buffer.concat(blocks).subarray(0, length);
}

/** A mask of zeros would leave the text as it is. */
const isMask = (mask: Buffer): boolean => mask.some((byte) => byte !== 0);

/** SM3(X2 || text || Y2). */
const checksum = (kept: Uint8Array, text: Uint8Array): Buffer =>
  createHash('sm3').update(kept.subarray(0, 32)).update(text).update(kept.subarray(32)).digest();
