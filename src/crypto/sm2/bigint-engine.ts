import { createECDH } from 'node:crypto';
import { randomSecret } from '../../shared/random.ts';
import { SM2_ORDER as N, wholeNumber } from '../signer.ts';
import { addPoints, BASE, inverse, modulo, multiplyPoint, numberBytes, readPoint, writePoint } from './bigint-curve.ts';
import type { Sm2Engine, Sm2Share } from './engine.ts';

/**
 * SM2 where there is no WebAssembly: multiples of the base point by OpenSSL, the rest in BigInt. Arithmetic on secrets is
 * blinded, since its time follows the numbers; that of `multiply`, which decrypts, and of `share` is not. Verifying takes some
 * milliseconds.
 */
export function createBigIntEngine(): Sm2Engine {
  return {
    kind: 'bigint',
    publicKey(d) {
      const number = wholeNumber(d);
      return number >= 1n && number <= N - 2n ? multiplyBase(d) : undefined;
    },
    signingFactor(d) {
      const blind = randomScalar();
      return numberBytes((inverse((1n + wholeNumber(d)) * blind, N) * blind) % N);
    },
    sign(e, signingFactor) {
      for (;;) {
        const signature = signWith(e, signingFactor, numberBytes(randomScalar()));
        if (signature !== undefined) return signature;
      }
    },
    verify,
    isPoint: (point) => readPoint(point) !== undefined,
    multiply,
    share: (point) => shareWith(point, numberBytes(randomScalar())),
    givenNonce: { sign: signWith, share: shareWith },
  };
}

const isScalar = (number: bigint): boolean => number >= 1n && number < N;

function randomScalar(): bigint {
  for (;;) {
    const number = wholeNumber(randomSecret(32));
    if (isScalar(number)) return number;
  }
}

/** By OpenSSL, in a time that tells nothing of the factor. */
function multiplyBase(factor: Uint8Array): Buffer {
  const pair = createECDH('SM2');
  pair.setPrivateKey(factor);
  return pair.getPublicKey().subarray(1);
}

function signWith(e: Uint8Array, signingFactor: Uint8Array, k: Uint8Array): Buffer | undefined {
  const nonce = wholeNumber(k);
  if (!isScalar(nonce)) return undefined;
  const r = (wholeNumber(e) + wholeNumber(multiplyBase(k).subarray(0, 32))) % N;
  const sum = (nonce + r) % N;
  if (r === 0n || sum === 0n) return undefined;
  const blind = randomScalar();
  const blinded = (wholeNumber(signingFactor) * blind) % N;
  const s = modulo(((blinded * sum) % N) * inverse(blind, N) - r, N);
  return s === 0n ? undefined : Buffer.concat([numberBytes(r), numberBytes(s)]);
}

function verify(e: Uint8Array, signature: Uint8Array, point: Uint8Array): boolean {
  const [r, s] = [wholeNumber(signature.subarray(0, 32)), wholeNumber(signature.subarray(32))];
  const key = readPoint(point);
  if (!isScalar(r) || !isScalar(s) || key === undefined) return false;
  const t = (r + s) % N;
  if (t === 0n) return false;
  const sum = writePoint(addPoints(multiplyPoint(s, BASE), multiplyPoint(t, key)));
  return sum !== undefined && (wholeNumber(e) + wholeNumber(sum.subarray(0, 32))) % N === r;
}

function multiply(d: Uint8Array, point: Uint8Array): Buffer | undefined {
  const [factor, read] = [wholeNumber(d), readPoint(point)];
  return isScalar(factor) && read !== undefined ? writePoint(multiplyPoint(factor, read)) : undefined;
}

function shareWith(point: Uint8Array, k: Uint8Array): Sm2Share | undefined {
  const kept = multiply(k, point);
  if (kept === undefined) return undefined;
  return { kept, sent: multiplyBase(k) };
}
