// Tries numbers until the SHA-256 (FIPS 180-4) of salt and number is the challenge. Answers with the number.
const K = new Uint32Array(64);
const START = new Uint32Array(8);
{
  const fraction = (value) => ((value - Math.floor(value)) * 2 ** 32) | 0;
  let count = 0;
  for (let candidate = 2; count < 64; candidate += 1) {
    let isPrime = true;
    for (let divisor = 2; divisor * divisor <= candidate; divisor += 1) if (candidate % divisor === 0) isPrime = false;
    if (!isPrime) continue;
    if (count < 8) START[count] = fraction(Math.sqrt(candidate));
    K[count] = fraction(Math.cbrt(candidate));
    count += 1;
  }
}

const words = new Uint32Array(64);
const state = new Uint32Array(8);
const turn = (word, by) => (word >>> by) | (word << (32 - by));

function compress(block, at) {
  for (let n = 0; n < 16; n += 1) {
    const i = at + n * 4;
    words[n] = (block[i] << 24) | (block[i + 1] << 16) | (block[i + 2] << 8) | block[i + 3];
  }
  for (let n = 16; n < 64; n += 1) {
    const [older, newer] = [words[n - 15], words[n - 2]];
    const s0 = turn(older, 7) ^ turn(older, 18) ^ (older >>> 3);
    const s1 = turn(newer, 17) ^ turn(newer, 19) ^ (newer >>> 10);
    words[n] = (words[n - 16] + s0 + words[n - 7] + s1) | 0;
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let n = 0; n < 64; n += 1) {
    const t1 = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + K[n] + words[n]) | 0;
    const t2 = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
  state[4] += e;
  state[5] += f;
  state[6] += g;
  state[7] += h;
}

const message = new Uint8Array(512);

/** Leaves the digest of the first `length` bytes of `message` in `state`. */
function digest(length) {
  const blocks = Math.floor((length + 8) / 64) + 1;
  message.fill(0, length, blocks * 64);
  message[length] = 0x80;
  new DataView(message.buffer).setUint32(blocks * 64 - 4, length * 8);
  state.set(START);
  for (let block = 0; block < blocks; block += 1) compress(message, block * 64);
}

function solve({ challenge, salt, maxnumber }) {
  const wanted = Uint32Array.from(challenge.match(/.{8}/g), (part) => Number.parseInt(part, 16));
  const encoder = new TextEncoder();
  const saltLength = encoder.encodeInto(salt, message).written;
  for (let number = 0; number <= maxnumber; number += 1) {
    const digits = String(number);
    for (let n = 0; n < digits.length; n += 1) message[saltLength + n] = digits.charCodeAt(n);
    digest(saltLength + digits.length);
    if (state[0] === wanted[0] && wanted.every((word, n) => word === state[n])) return number;
  }
  return undefined;
}

addEventListener('message', ({ data }) => postMessage(solve(data)));
