import { Fault } from '../shared/fault.ts';
import { hmacKey, hmacSm3, sm3 } from './digests.ts';
import { sm2KnownAnswers } from './sm2/known-answers.ts';
import { createSm4 } from './sm4.ts';

const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');

const BLOCK = bytes('0123456789abcdeffedcba9876543210');

/** Counter mode turns a zero block into the encrypted counter, so the block vector of the standard tests the mode we use. */
function sm4Ctr(): string {
  const sm4 = createSm4('ctr-hmac-sm3', Buffer.concat([BLOCK, Buffer.alloc(32)]));
  return hexOf(sm4.seal(BLOCK, Buffer.alloc(BLOCK.length), Buffer.alloc(0)).ciphertext);
}

const GCM = {
  iv: bytes('00001234567800000000abcd'),
  associated: bytes('feedfacedeadbeeffeedfacedeadbeefabaddad2'),
  plaintext: bytes(['aa', 'bb', 'cc', 'dd', 'ee', 'ff', 'ee', 'aa'].map((byte) => byte.repeat(8)).join('')),
} as const;

function sm4Gcm(): string {
  const sm4 = createSm4('gcm', BLOCK);
  const sealed = sm4.seal(GCM.iv, GCM.plaintext, GCM.associated);
  const opened = sm4.open(GCM.iv, sealed, GCM.associated);
  return opened?.equals(GCM.plaintext) === true ? hexOf(sealed.ciphertext) + hexOf(sealed.tag) : '';
}

const hexOf = (value: Uint8Array): string => Buffer.from(value).toString('hex');

/**
 * Published vectors: GB/T 32905 A.1 and A.2 (SM3), RFC 4231 case 2 keyed over SM3 (HMAC), GB/T 32907 A.1 (SM4),
 * RFC 8998 A.1 (SM4-GCM).
 */
const VECTORS = [
  {
    name: 'SM3',
    compute: () => sm3('abc').toString('hex'),
    expected: '66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0',
  },
  {
    name: 'SM3, 64 bytes',
    compute: () => sm3('abcd'.repeat(16)).toString('hex'),
    expected: 'debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732',
  },
  {
    name: 'HMAC-SM3',
    compute: () => hmacSm3(hmacKey(Buffer.from('Jefe')), 'what do ya want for nothing?').toString('hex'),
    expected: '2e87f1d16862e6d964b50a5200bf2b10b764faa9680a296a2405f24bec39f882',
  },
  {
    name: 'SM4-CTR',
    compute: sm4Ctr,
    expected: '681edf34d206965e86b3e94f536e4246',
  },
  {
    name: 'SM4-GCM',
    compute: sm4Gcm,
    expected:
      '17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d' +
      '83de3541e4c2b58177e065a9bf7b62ec',
  },
] as const;

/**
 * Runs the known answers of the algorithms everything else rests on; called at every start, before anything is opened (R7, H9).
 * Throws `Fault('internal')` naming the algorithm when the installed OpenSSL lacks it or computes something else.
 */
export function selfTest(): void {
  for (const { name, compute, expected } of VECTORS) {
    if (answerOf(name, compute) !== expected) {
      throw new Fault('internal', `The known-answer test of ${name} failed: this Node.js must not be used.`);
    }
  }
  sm2KnownAnswers();
}

function answerOf(name: string, compute: () => string): string {
  try {
    return compute();
  } catch (cause) {
    throw new Fault('internal', `This Node.js has no ${name}; a build with the SM algorithms is needed.`, { cause });
  }
}
