import { createCipheriv, createSecretKey, pbkdf2Sync, randomBytes } from 'node:crypto';
import test from 'ava';
import { ghash } from '../src/crypto/ghash.ts';
import { createSm4, type Sm4Mode, sm4Counter, sm4Stream } from '../src/crypto/sm4.ts';
import { Fault } from '../src/shared/fault.ts';

const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');
const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex');
const BLOCK = bytes('0123456789abcdeffedcba9876543210');

/** RFC 8998 A.1. */
const GCM = {
  iv: bytes('00001234567800000000abcd'),
  associated: bytes('feedfacedeadbeeffeedfacedeadbeefabaddad2'),
  plaintext: bytes(
    'aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccddddddddddddddddeeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa',
  ),
  ciphertext:
    '17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d',
  tag: '83de3541e4c2b58177e065a9bf7b62ec',
} as const;

test('R7 SM4-GCM gives the published answer, and opens it', (t) => {
  const sm4 = createSm4('gcm', BLOCK);
  const sealed = sm4.seal(GCM.iv, GCM.plaintext, GCM.associated);
  t.is(hex(sealed.ciphertext), GCM.ciphertext);
  t.is(hex(sealed.tag), GCM.tag);
  t.deepEqual(sm4.open(GCM.iv, sealed, GCM.associated), GCM.plaintext);
});

test('SM4 gives the published answers for one block and for a million rounds of it', (t) => {
  const cipher = createCipheriv('sm4-ecb', BLOCK, null).setAutoPadding(false);
  let block = cipher.update(BLOCK);
  t.is(hex(block), '681edf34d206965e86b3e94f536e4246');
  for (let round = 1; round < 1_000_000; round += 1) block = cipher.update(block);
  t.is(hex(block), '595298c7c6fd271f0402f804c33d3f66');
});

test('a cipher kept open encrypts every text as one made for it does, wherever its counter begins', (t) => {
  const key = createSecretKey(randomBytes(16));
  const stream = sm4Stream(key);
  const atTheEnd = ['ffffffff', 'fffffffe', 'fffffff0', '00000000'].map((end) => `${'ff'.repeat(12)}${end}`);
  const ivs = [...atTheEnd.map(bytes), ...Array.from({ length: 200 }, () => randomBytes(16))];
  for (const [round, iv] of ivs.entries()) {
    const text = randomBytes((round * 7) % 301);
    const kept = Buffer.from(text);
    stream(iv, kept);
    t.deepEqual(kept, sm4Counter(key, iv, text));
  }
});

test('PBKDF2-HMAC-SM3 gives the published answers', (t) => {
  const derive = (rounds: number): string => hex(pbkdf2Sync('password', 'salt', rounds, 32, 'sm3'));
  t.is(derive(1), '4612f922a1fdcefaf4312fc6f8f3322b489cbf24f2ea361b44c2bd8fa2c6dcb0');
  t.is(derive(1000), 'e8b635a41dfe5aaab7cf828cff6f3608e22cac59ba16edd70e000b293d00bc91');
});

/** The tag of AES-128-GCM, made of OpenSSL's block cipher and our GHASH. */
function aesTag(key: Buffer, iv: Buffer, ciphertext: Buffer, associated: Buffer): Buffer {
  const block = (text: Buffer): Buffer => createCipheriv('aes-128-ecb', key, null).update(text);
  const mask = block(Buffer.concat([iv, bytes('00000001')]));
  const digest = ghash(block(Buffer.alloc(16)), associated, ciphertext);
  return Buffer.from(digest.map((byte, place) => byte ^ mask[place]!));
}

test('GHASH is that of OpenSSL for five hundred keys, and for every length around the blocks', (t) => {
  for (let round = 0; round < 500; round += 1) {
    const [key, iv, text, associated] = [
      randomBytes(16),
      randomBytes(12),
      randomBytes(round % 67),
      randomBytes((round * 7) % 53),
    ];
    const cipher = createCipheriv('aes-128-gcm', key, iv).setAAD(associated);
    const ciphertext = Buffer.concat([cipher.update(text), cipher.final()]);
    t.deepEqual(aesTag(key, iv, ciphertext, associated), cipher.getAuthTag());
  }
});

const MODES: readonly { readonly mode: Sm4Mode; readonly keyBytes: number; readonly ivBytes: number }[] = [
  { mode: 'gcm', keyBytes: 16, ivBytes: 12 },
  { mode: 'ctr-hmac-sm3', keyBytes: 48, ivBytes: 16 },
];

for (const { mode, keyBytes, ivBytes } of MODES) {
  test(`R7 what SM4 ${mode} has sealed opens unaltered only, with its key, iv and associated data`, (t) => {
    const [key, iv] = [randomBytes(keyBytes), randomBytes(ivBytes)];
    const sm4 = createSm4(mode, key);
    const associated = Buffer.from('place 1');
    for (const length of [0, 1, 16, 17, 1000]) {
      const text = randomBytes(length);
      const sealed = sm4.seal(iv, text, associated);
      t.deepEqual(sm4.open(iv, sealed, associated), text);
      t.is(sm4.open(iv, sealed, Buffer.from('place 2')), undefined);
      t.is(createSm4(mode, randomBytes(keyBytes)).open(iv, sealed, associated), undefined);
      t.is(sm4.open(randomBytes(ivBytes), sealed, associated), undefined);
      for (const part of ['ciphertext', 'tag'] as const) {
        for (let place = 0; place < Math.min(sealed[part].length, 40); place += 1) {
          const altered = Uint8Array.from(sealed[part]);
          altered[place]! ^= 1;
          t.is(sm4.open(iv, { ...sealed, [part]: altered }, associated), undefined);
        }
      }
      t.is(sm4.open(iv, { ...sealed, tag: sealed.tag.subarray(0, 8) }, associated), undefined, 'a short tag');
    }
  });

  test(`SM4 ${mode} takes keys and ivs of its own lengths alone`, (t) => {
    const none = Buffer.alloc(0);
    for (const wrong of [0, keyBytes - 1, keyBytes + 1, 32]) {
      t.throws(() => createSm4(mode, Buffer.alloc(wrong)), { instanceOf: Fault });
    }
    const sm4 = createSm4(mode, Buffer.alloc(keyBytes));
    for (const wrong of [0, ivBytes - 1, ivBytes + 1]) {
      t.throws(() => sm4.seal(Buffer.alloc(wrong), none, none), { instanceOf: Fault });
      t.throws(() => sm4.open(Buffer.alloc(wrong), { ciphertext: none, tag: none }, none), { instanceOf: Fault });
    }
  });
}

test('R7 a mode that is not on the list is refused, never quietly replaced', (t) => {
  for (const mode of ['ecb', 'cbc', 'ctr', 'GCM', 'ccm', '', 'constructor', '__proto__']) {
    t.throws(() => createSm4(mode as Sm4Mode, Buffer.alloc(16)), { instanceOf: Fault, message: /no SM4 mode/ });
  }
});
