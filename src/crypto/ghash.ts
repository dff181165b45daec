const BLOCK_BYTES = 16;
const WORDS = 4;
/** Every fourth bit of a word, with its three neighbours: products of such words have room for the carries. */
const A = 0x11111111;
const B = 0x22222222;
const C = 0x44444444;
const D = ~0x77777777;

/** The numbers of one computation; signed words, because those are what the engine calculates with fastest. */
interface Work {
  readonly state: Int32Array;
  readonly factor: Int32Array;
  readonly factorMirrored: Int32Array;
  readonly low: Int32Array;
  readonly high: Int32Array;
}

/**
 * GHASH under `key` (16 bytes) over the blocks of `associated` and `ciphertext`, each filled up with zeros, and their lengths
 * (NIST SP 800-38D 6.4). 16 bytes. Nothing is looked up by a secret: words are multiplied as numbers whose carries fall into
 * gaps, so that the time depends on the lengths alone.
 */
export function ghash(key: Uint8Array, associated: Uint8Array, ciphertext: Uint8Array): Buffer {
  const work: Work = {
    state: new Int32Array(WORDS),
    factor: new Int32Array(WORDS),
    factorMirrored: new Int32Array(WORDS),
    low: new Int32Array(2 * WORDS),
    high: new Int32Array(2 * WORDS),
  };
  add(work.factor, key, 0);
  for (let word = 0; word < WORDS; word += 1) work.factorMirrored[word] = mirror(work.factor[word]!);
  const lengths = Buffer.alloc(BLOCK_BYTES);
  lengths.writeBigUInt64BE(BigInt(associated.length) * 8n, 0);
  lengths.writeBigUInt64BE(BigInt(ciphertext.length) * 8n, 8);
  for (const part of [associated, ciphertext, lengths]) {
    for (let at = 0; at < part.length; at += BLOCK_BYTES) {
      add(work.state, part, at);
      multiply(work);
    }
  }
  const digest = Buffer.alloc(BLOCK_BYTES);
  for (let word = 0; word < WORDS; word += 1) digest.writeInt32BE(work.state[word]!, BLOCK_BYTES - 4 * (word + 1));
  return digest;
}

/** Adds the block at a place, as four words, the last bytes first; what is missing at the end counts as zero. */
function add(words: Int32Array, bytes: Uint8Array, at: number): void {
  const end = Math.min(BLOCK_BYTES, bytes.length - at);
  for (let byte = 0; byte < end; byte += 1) {
    words[3 - (byte >> 2)]! ^= bytes[at + byte]! << (24 - 8 * (byte & 3));
  }
}

/** The state becomes its product with the factor in GF(2^128), whose bits GCM writes the other way round: hence the shift. */
function multiply({ state, factor, factorMirrored, low, high }: Work): void {
  low.fill(0);
  high.fill(0);
  for (let i = 0; i < WORDS; i += 1) {
    const word = state[i]!;
    const mirrored = mirror(word);
    for (let j = 0; j < WORDS; j += 1) {
      low[i + j]! ^= lowHalf(word, factor[j]!);
      // The upper half of a product is the lower half of that of the mirrored factors, mirrored.
      high[i + j + 1]! ^= lowHalf(mirrored, factorMirrored[j]!);
    }
  }
  for (let k = 1; k < 2 * WORDS; k += 1) low[k]! ^= mirror(high[k]!) >>> 1;
  for (let k = 2 * WORDS - 1; k > 0; k -= 1) low[k] = (low[k]! << 1) | (low[k - 1]! >>> 31);
  low[0]! <<= 1;
  // Modulo x^128 + x^7 + x^2 + x + 1 the lower half is folded into the upper.
  for (let k = 0; k < WORDS; k += 1) {
    const word = low[k]!;
    low[k + 4]! ^= word ^ (word >>> 1) ^ (word >>> 2) ^ (word >>> 7);
    low[k + 3]! ^= (word << 31) ^ (word << 30) ^ (word << 25);
  }
  for (let word = 0; word < WORDS; word += 1) state[word] = low[WORDS + word]!;
}

/** The lower 32 bits of the product of two polynomials over GF(2). */
function lowHalf(left: number, right: number): number {
  const la = left & A;
  const lb = left & B;
  const lc = left & C;
  const ld = left & D;
  const ra = right & A;
  const rb = right & B;
  const rc = right & C;
  const rd = right & D;
  return (
    ((Math.imul(la, ra) ^ Math.imul(lb, rd) ^ Math.imul(lc, rc) ^ Math.imul(ld, rb)) & A) |
    ((Math.imul(la, rb) ^ Math.imul(lb, ra) ^ Math.imul(lc, rd) ^ Math.imul(ld, rc)) & B) |
    ((Math.imul(la, rc) ^ Math.imul(lb, rb) ^ Math.imul(lc, ra) ^ Math.imul(ld, rd)) & C) |
    ((Math.imul(la, rd) ^ Math.imul(lb, rc) ^ Math.imul(lc, rb) ^ Math.imul(ld, ra)) & D)
  );
}

/** The bits of a word from the last to the first. */
function mirror(word: number): number {
  let bits = ((word & 0x55555555) << 1) | ((word >>> 1) & 0x55555555);
  bits = ((bits & 0x33333333) << 2) | ((bits >>> 2) & 0x33333333);
  bits = ((bits & 0x0f0f0f0f) << 4) | ((bits >>> 4) & 0x0f0f0f0f);
  bits = ((bits & 0x00ff00ff) << 8) | ((bits >>> 8) & 0x00ff00ff);
  return (bits << 16) | (bits >>> 16);
}
