/**
 * Verifies a token of Tongban ID that is signed with SM2, with nothing but Node.js:
 *
 *     node verify-token.ts TOKEN-FILE JWKS-FILE ISSUER AUDIENCE [NONCE]
 *
 * Prints the claims and ends with 0, or says on standard error why not and ends with 1. The key set is the server's `jwks_uri`; keep it
 * for ten minutes and fetch it anew when a `kid` is not in it. Numbers here are public, so that BigInt may be used: sign with
 * something else.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const ALG = 'SGD_SM3_SM2';
const CURVE = 'sm2p256v1';
const USER_ID = Buffer.from('1234567812345678');
const CLOCKS_DIFFER_SECONDS = 10;

// GB/T 32918.5.
const P = 0xfffffffeffffffffffffffffffffffffffffffff00000000ffffffffffffffffn;
const N = 0xfffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123n;
const A = P - 3n;
const B = 0x28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93n;
const G: Point = [
  0x32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7n,
  0xbc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0n,
];

type Point = readonly [x: bigint, y: bigint];
type Members = Readonly<Record<string, unknown>>;

const mod = (value: bigint, modulus: bigint): bigint => ((value % modulus) + modulus) % modulus;
const numberOf = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex') || '0'}`);
const bytesOf = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, '0'), 'hex');

function inverse(value: bigint): bigint {
  let [low, high, x, y] = [mod(value, P), P, 1n, 0n];
  while (low > 1n) {
    const quotient = high / low;
    [low, high, x, y] = [high - low * quotient, low, y - x * quotient, x];
  }
  return mod(x, P);
}

/** Undefined is the point at infinity. */
function add(left: Point | undefined, right: Point | undefined): Point | undefined {
  if (left === undefined || right === undefined) return left ?? right;
  const [[x1, y1], [x2, y2]] = [left, right];
  if (x1 === x2 && mod(y1 + y2, P) === 0n) return undefined;
  const slope = x1 === x2 ? (3n * x1 * x1 + A) * inverse(2n * y1) : (y2 - y1) * inverse(x2 - x1);
  const x = mod(slope * slope - x1 - x2, P);
  return [x, mod(slope * (x1 - x) - y1, P)];
}

function multiply(factor: bigint, point: Point): Point | undefined {
  let sum: Point | undefined;
  for (const bit of factor.toString(2)) {
    sum = add(sum, sum);
    if (bit === '1') sum = add(sum, point);
  }
  return sum;
}

/** GB/T 32918.2 7.1 over the raw signature r || s. */
export function verifySm2(message: Uint8Array, signature: Uint8Array, [x, y]: Point): boolean {
  if (signature.length !== 64 || x >= P || y >= P || mod(y * y - x * x * x - A * x - B, P) !== 0n) return false;
  const [r, s] = [numberOf(signature.subarray(0, 32)), numberOf(signature.subarray(32))];
  const t = mod(r + s, N);
  if (r < 1n || r >= N || s < 1n || s >= N || t === 0n) return false;
  const sm3 = (...parts: readonly Uint8Array[]): Buffer => createHash('sm3').update(Buffer.concat(parts)).digest();
  const z = sm3(Buffer.of(0, USER_ID.length * 8), USER_ID, ...[A, B, ...G, x, y].map(bytesOf));
  const point = add(multiply(s, G), multiply(t, [x, y]));
  return point !== undefined && mod(numberOf(sm3(z, message)) + point[0], N) === r;
}

function bytesIn(part: string): Buffer {
  const bytes = Buffer.from(part, 'base64url');
  if (bytes.toString('base64url') !== part) throw new Error('a part of the token is not strict base64url');
  return bytes;
}

const membersIn = (part: string): Members => JSON.parse(bytesIn(part).toString('utf8')) as Members;

/** The claims of the token. Throws an Error that says what is wrong with it. */
export function verifyToken(token: string, keys: readonly Members[], expected: Expected): Members {
  const parts = token.split('.');
  const [first = '', second = '', third = ''] = parts;
  if (parts.length !== 3) throw new Error('the token does not have three parts');
  const { alg, kid, crit } = membersIn(first);
  if (alg !== ALG || crit !== undefined) throw new Error(`the token is not signed with ${ALG}`);
  const key = keys.find((candidate) => candidate.kid === kid && candidate.crv === CURVE && candidate.use === 'sig');
  if (key === undefined) throw new Error('the key set has no SM2 key of this kid: fetch it anew');
  const point: Point = [numberOf(bytesIn(String(key.x))), numberOf(bytesIn(String(key.y)))];
  if (!verifySm2(Buffer.from(`${first}.${second}`), bytesIn(third), point)) throw new Error('the signature is wrong');
  const claims = membersIn(second);
  const nowSeconds = Date.now() / 1000;
  if (claims.iss !== expected.issuer) throw new Error('the token is of another issuer');
  if (claims.aud !== expected.audience) throw new Error('the token is for another portal');
  if (!(Number(claims.exp) + CLOCKS_DIFFER_SECONDS > nowSeconds)) throw new Error('the token is over');
  if (expected.nonce !== undefined && claims.nonce !== expected.nonce) throw new Error('the nonce is another one');
  return claims;
}

interface Expected {
  readonly issuer: string;
  readonly audience: string;
  readonly nonce?: string;
}

if (import.meta.main) {
  const [tokenFile = '', keysFile = '', issuer = '', audience = '', nonce] = process.argv.slice(2);
  try {
    const { keys } = JSON.parse(readFileSync(keysFile, 'utf8')) as { keys: readonly Members[] };
    const expected = { issuer, audience, ...(nonce === undefined ? {} : { nonce }) };
    console.log(JSON.stringify(verifyToken(readFileSync(tokenFile, 'utf8').trim(), keys, expected)));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
