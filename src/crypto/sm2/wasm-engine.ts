import { readFileSync } from 'node:fs';
import { Fault } from '../../shared/fault.ts';
import { fillWithRandom } from '../../shared/random.ts';
import type { Sm2Engine, Sm2Share } from './engine.ts';

/** The exports of sm2.wasm; native/sm2.c says at each what it reads from the window and leaves there. */
interface Native {
  readonly memory: { readonly buffer: ArrayBuffer };
  start(): void;
  window(): number;
  window_wipe(): void;
  nonces(): number;
  nonces_add(count: number): void;
  public_key(): number;
  signing_factor(): void;
  sign(): number;
  known_answer_sign(): number;
  verify(): number;
  is_point(): number;
  multiply(): number;
  share(): number;
  known_answer_share(): number;
}

const NUMBER_BYTES = 32;
const POINT_BYTES = 64;
const WINDOW_BYTES = 16 * NUMBER_BYTES;

/** Nonces kept ready, and how many are made at a time: less than a millisecond of work. */
const NONCES_KEPT = 256;
const NONCES_A_SLICE = 8;
const ATTEMPTS_MAX = 8;

/** Undefined where WebAssembly, or its vector instructions, are not to be had. Throws when the module cannot be read. */
export function createWasmEngine(): Sm2Engine | undefined {
  if (typeof WebAssembly === 'undefined') return undefined;
  const bytes = readFileSync(new URL('./sm2.wasm', import.meta.url));
  if (!WebAssembly.validate(bytes)) return undefined;
  const native = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as unknown as Native;
  native.start();
  const window = Buffer.from(native.memory.buffer, native.window(), WINDOW_BYTES);
  const nonces = keepNonces(native, window);

  const enter = (...values: readonly Uint8Array[]): void => {
    let offset = 0;
    for (const value of values) {
      window.set(value, offset);
      offset += value.length;
    }
  };
  const leave = (length: number): Buffer => {
    // Memory of its own, and not a piece of the pool that Node cuts small buffers from.
    const result = Buffer.alloc(length);
    window.copy(result);
    native.window_wipe();
    return result;
  };
  const leaveShare = (): Sm2Share => {
    const both = leave(2 * POINT_BYTES);
    return { kept: both.subarray(0, POINT_BYTES), sent: both.subarray(POINT_BYTES) };
  };
  /** Calls with one nonce after the other until one serves: but for one time in 2^255, the first does. */
  const withNonce = (...values: readonly Uint8Array[]) => ({
    until(call: () => number): void {
      for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
        nonces.need();
        enter(...values);
        if (call() === 1) return;
      }
      throw new Fault('internal', 'SM2 found no nonce that serves.');
    },
  });

  return {
    kind: 'webassembly',
    publicKey(d) {
      enter(d);
      return native.public_key() === 1 ? leave(POINT_BYTES) : undefined;
    },
    signingFactor(d) {
      enter(d);
      native.signing_factor();
      return leave(NUMBER_BYTES);
    },
    sign(e, signingFactor) {
      withNonce(e, signingFactor).until(native.sign);
      return leave(2 * NUMBER_BYTES);
    },
    verify(e, signature, point) {
      enter(e, signature, point);
      return native.verify() === 1;
    },
    isPoint(point) {
      enter(point);
      return native.is_point() === 1;
    },
    multiply(d, point) {
      enter(d, point);
      return native.multiply() === 1 ? leave(POINT_BYTES) : undefined;
    },
    share(point) {
      enter(point);
      if (native.is_point() !== 1) return undefined;
      withNonce(point).until(native.share);
      return leaveShare();
    },
    givenNonce: {
      sign(e, signingFactor, k) {
        enter(e, signingFactor, k);
        return native.known_answer_sign() === 1 ? leave(2 * NUMBER_BYTES) : undefined;
      },
      share(point, k) {
        enter(point, k);
        return native.known_answer_share() === 1 ? leaveShare() : undefined;
      },
    },
  };
}

/**
 * The supply of nonces lives in the module's memory: random bytes are drawn straight into it and never leave it. It belongs to one
 * thread of one process, and dies with it. Between requests it is filled up, a slice at a time; when it runs dry, a
 * nonce is made on the spot, at fifty microseconds.
 */
function keepNonces(native: Native, window: Buffer): { need(): void } {
  let filling = false;
  const add = (count: number): void => {
    fillWithRandom(window.subarray(0, count * NUMBER_BYTES));
    native.nonces_add(count);
  };
  const fill = (): void => {
    add(NONCES_A_SLICE);
    if (native.nonces() <= NONCES_KEPT - NONCES_A_SLICE) setImmediate(fill).unref();
    else filling = false;
  };
  return {
    /** There is one to be taken when this returns. */
    need() {
      while (native.nonces() === 0) add(1);
      if (filling || native.nonces() > NONCES_KEPT - NONCES_A_SLICE) return;
      filling = true;
      setImmediate(fill).unref();
    },
  };
}
