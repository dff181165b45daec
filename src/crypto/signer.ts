/**
 * Makes SM2 signatures (GB/T 32918.2, SM3, user id 1234567812345678). The key may be in this process, in an HSM or behind a
 * signature server; nobody else ever sees it. Owes: one key for its whole life, and a signature or a rejection for each call.
 */
export interface Signer {
  readonly alg: 'SM2';
  /** 65 bytes: 0x04 || X || Y. */
  readonly publicKey: Buffer;
  /** 64 bytes: R || S. Rejects with a `Fault` when the key cannot be used. */
  sign(message: Uint8Array): Promise<Buffer>;
  /** Lets go of the key. Waiting calls are rejected, and so are later ones. */
  close(): Promise<void>;
}

/** Checks signatures made with one key, a fifth of a millisecond each, synchronously. */
export interface SignatureVerifier {
  /** 65 bytes: 0x04 || X || Y. */
  readonly publicKey: Buffer;
  /** False for everything that is not exactly 64 bytes of R || S, both from 1 to n - 1, over this message. */
  verify(message: Uint8Array, signature: Uint8Array): boolean;
}

/** Enters every signature through the value Z (GB/T 32918.2 5.5). The default of GB/T 35276: other houses expect no other. */
export const SM2_USER_ID = '1234567812345678';
export const SM2_PUBLIC_KEY_BYTES = 65;
export const SM2_SIGNATURE_BYTES = 64;

/** The order of the base point, GB/T 32918.5. */
export const SM2_ORDER = 0xfffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123n;
/** The prime of the field of coordinates, GB/T 32918.5. */
export const SM2_FIELD = 0xfffffffeffffffffffffffffffffffffffffffff00000000ffffffffffffffffn;
const A = SM2_FIELD - 3n;
const B = 0x28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93n;

/** The whole number that bytes write, most significant first. Not for secrets: BigInt takes longer for larger numbers. */
export const wholeNumber = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex') || '0'}`);

/**
 * Whether these are the 65 bytes of a point of the SM2 curve, uncompressed. The curve has no points of small order, so this is
 * all there is to check (GB/T 32918.1 6.2); a point off it would let a forger choose an easier group (V59).
 */
export function isSm2PublicKey(key: Uint8Array): boolean {
  if (key.length !== SM2_PUBLIC_KEY_BYTES || key[0] !== 0x04) return false;
  const x = wholeNumber(key.subarray(1, 33));
  const y = wholeNumber(key.subarray(33));
  return isOnSm2Curve(x, y);
}

/** Whether these are the coordinates of a point, both below the prime of the field. */
export const isOnSm2Curve = (x: bigint, y: bigint): boolean =>
  x < SM2_FIELD && y < SM2_FIELD && (y * y - (x * x * x + A * x + B)) % SM2_FIELD === 0n;
