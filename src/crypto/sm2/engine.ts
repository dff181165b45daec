import { createBigIntEngine } from './bigint-engine.ts';
import { createWasmEngine } from './wasm-engine.ts';

/**
 * The arithmetic of SM2 without its hashes. Numbers are 32 bytes, most significant first; points are X || Y, 64 bytes; callers
 * see to the lengths. There are two, which give the same answers: WebAssembly, and one in BigInt where there is none.
 */
export interface Sm2Engine {
  readonly kind: 'webassembly' | 'bigint';
  /** d * G. Undefined unless d is from 1 to n - 2 (GB/T 32918.1 6.1). */
  publicKey(d: Uint8Array): Buffer | undefined;
  /** 1 / (1 + d) modulo n: as secret as d. Computed once for a key. */
  signingFactor(d: Uint8Array): Buffer;
  /** r || s over the digest e, with a nonce of its own. */
  sign(e: Uint8Array, signingFactor: Uint8Array): Buffer;
  /** False also for r or s outside 1 to n - 1 and for a point off the curve. */
  verify(e: Uint8Array, signature: Uint8Array, point: Uint8Array): boolean;
  isPoint(point: Uint8Array): boolean;
  /** d * point. Undefined unless d is from 1 to n - 1 and the point on the curve. */
  multiply(d: Uint8Array, point: Uint8Array): Buffer | undefined;
  /** For a fresh k: k * G, to be sent, and k * point, to be kept. Undefined for a point off the curve. */
  share(point: Uint8Array): Sm2Share | undefined;
  /** The same with the k of a published example. Only the known answers may use it: who knows k knows the private key. */
  readonly givenNonce: GivenNonce;
}

export interface Sm2Share {
  readonly sent: Buffer;
  readonly kept: Buffer;
}

export interface GivenNonce {
  sign(e: Uint8Array, signingFactor: Uint8Array, k: Uint8Array): Buffer | undefined;
  share(point: Uint8Array, k: Uint8Array): Sm2Share | undefined;
}

let chosen: Sm2Engine | undefined;

/** The engine of this thread, started at its first use: a few milliseconds. */
export function sm2Engine(): Sm2Engine {
  chosen ??= createWasmEngine() ?? createBigIntEngine();
  return chosen;
}
