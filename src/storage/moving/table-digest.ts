import type { SqlValue } from '../database.ts';
import type { Row } from './row-walking.ts';

/** A hash of bytes; of 32 bytes. */
export type Hash = (bytes: Uint8Array) => Uint8Array;

const MODULUS = 2n ** 256n;
const LENGTH_BYTES = 4;
const NUMBER_BYTES = 8;
const TAGS = { null: 0, number: 1, text: 2, bytes: 3 } as const;

/**
 * What a table holds, as one number: the sum of the hashes of its rows. Engines sort texts differently, and a sum does not depend on the
 * order. It is made to notice what a copy lost, doubled or changed, and is no defence against somebody who wants two tables to look alike.
 */
export class TableDigest {
  readonly #hash: Hash;
  #sum = 0n;
  #count = 0;

  constructor(hash: Hash) {
    this.#hash = hash;
  }

  add(row: Row): void {
    const digest = Buffer.from(this.#hash(encoded(row)));
    this.#sum = (this.#sum + BigInt(`0x${digest.toString('hex')}`)) % MODULUS;
    this.#count += 1;
  }

  get count(): number {
    return this.#count;
  }

  /** 64 hexadecimal digits. */
  get text(): string {
    return this.#sum.toString(16).padStart(64, '0');
  }
}

/** Values one after the other, each with its kind and length: no two different rows are written the same. */
function encoded(row: Row): Buffer {
  return Buffer.concat(row.flatMap(encodedValue));
}

function encodedValue(value: SqlValue): readonly Uint8Array[] {
  if (value === null) return [Buffer.of(TAGS.null)];
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(1 + NUMBER_BYTES, TAGS.number);
    bytes.writeBigInt64BE(BigInt(value), 1);
    return [bytes];
  }
  const content = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
  const head = Buffer.alloc(1 + LENGTH_BYTES, typeof value === 'string' ? TAGS.text : TAGS.bytes);
  head.writeUInt32BE(content.byteLength, 1);
  return [head, content];
}
