import type { KeyObject } from 'node:crypto';
import { type Sm4Stream, sm4Counter, sm4Stream } from '../crypto/sm4.ts';

export const IV_BYTES = 16;

/** Keys whose ciphers stay open, some 1.6 KB each; beyond it the one opened longest ago is closed. */
const OPEN_MAX = 4096;
/** Held weakly: a key that is forgotten because it was destroyed goes with its cipher. */
const opened: WeakRef<SubjectKey>[] = [];
let nextPlace = 0;

/** The key what the ledger says about a subject is encrypted under. From its second use on its cipher stays open. */
export class SubjectKey {
  readonly id: string;
  readonly #key: KeyObject;
  #isUsed = false;
  #stream: Sm4Stream | undefined;

  constructor(id: string, key: KeyObject) {
    this.id = id;
    this.#key = key;
  }

  /** Encrypts what lies behind the iv that `bytes` begin with, in its place. */
  encrypt(bytes: Buffer): void {
    const iv = bytes.subarray(0, IV_BYTES);
    const text = bytes.subarray(IV_BYTES);
    if (!this.#isUsed) {
      this.#isUsed = true;
      text.set(sm4Counter(this.#key, iv, text));
      return;
    }
    this.#stream ??= this.#open();
    this.#stream(iv, text);
  }

  #open(): Sm4Stream {
    const oldest = opened[nextPlace]?.deref();
    if (oldest !== undefined) oldest.#stream = undefined;
    opened[nextPlace] = new WeakRef(this);
    nextPlace = (nextPlace + 1) % OPEN_MAX;
    return sm4Stream(this.#key);
  }
}
