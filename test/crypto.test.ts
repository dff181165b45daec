import { createHmac, createSecretKey } from 'node:crypto';
import test from 'ava';
import { createBlindIndex } from '../src/crypto/blind-index.ts';
import { createCookieKeys } from '../src/crypto/cookie-keys.ts';
import {
  deriveKeyBytes,
  equalInConstantTime,
  framed,
  hmacKey,
  hmacSm3,
  sm3,
  tokenDigest,
} from '../src/crypto/digests.ts';
import { hmac } from '../src/crypto/hmac.ts';
import { createSealer } from '../src/crypto/sealing.ts';
import { selfTest } from '../src/crypto/self-test.ts';
import { Fault } from '../src/shared/fault.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const ROOT = Buffer.alloc(32, 7);
const CONTEXT = 'persons:name_sealed:psn_1';

test('SM3 and HMAC-SM3 give the published answers', (t) => {
  t.is(hex(sm3('abc')), '66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0');
  t.is(hex(sm3('')), '1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b');
  t.is(hex(sm3('abcd'.repeat(16))), 'debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732');
  const jefe = hmacKey(Buffer.from('Jefe'));
  t.is(
    hex(hmacSm3(jefe, 'what do ya want for nothing?')),
    '2e87f1d16862e6d964b50a5200bf2b10b764faa9680a296a2405f24bec39f882',
  );
  const repeated = hmacKey(Buffer.alloc(20, 0x0b));
  t.is(hex(hmacSm3(repeated, 'Hi There')), '51b00d1fb49832bfb01c3ce27848e59f871d9ba938dc563b338ca964755cce70');
  t.notThrows(selfTest);
});

test('an HMAC is what RFC 4231 publishes and what OpenSSL makes of it, for keys and messages of every length', (t) => {
  const published = hmac('sha256', createSecretKey(Buffer.from('Jefe')), 'what do ya want for nothing?', 'binary');
  t.is(
    Buffer.from(published, 'latin1').toString('hex'),
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  );
  const filled = (length: number): Buffer => Buffer.from(Array.from({ length }, (_, at) => (at * 167 + length) % 256));
  for (const algorithm of ['sm3', 'sha256'] as const) {
    for (const keyBytes of [0, 1, 32, 63, 64, 65, 131]) {
      const key = createSecretKey(filled(keyBytes));
      for (const bytes of [2112, 2049, 2048, 2047, 600, 65, 64, 63, 1, 0]) {
        const expected = createHmac(algorithm, key).update(filled(bytes)).digest('base64url');
        t.is(
          hmac(algorithm, key, filled(bytes), 'base64url'),
          expected,
          `${algorithm}, key ${keyBytes}, message ${bytes}`,
        );
      }
      const text = '通办 é \u{1f512}'.repeat(3);
      t.is(hmac(algorithm, key, text, 'base64url'), createHmac(algorithm, key).update(text).digest('base64url'));
    }
  }
});

test('values that are framed cannot run into one another', (t) => {
  t.notDeepEqual(framed('ab', 'c'), framed('a', 'bc'));
  t.notDeepEqual(framed('a', ''), framed('a'));
  t.notDeepEqual(deriveKeyBytes(hmacKey(ROOT), 'one'), deriveKeyBytes(hmacKey(ROOT), 'two'));
});

test('comparison in constant time knows equal from unequal, also in length and beyond ASCII', (t) => {
  t.true(equalInConstantTime('通办', '通办'));
  t.true(equalInConstantTime('abc', Buffer.from('abc')));
  t.false(equalInConstantTime('abc', 'abd'));
  t.false(equalInConstantTime('abc', 'abcd'));
  t.is(tokenDigest('abc'), 'ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0');
});

test('a sealed column opens in its own place only', (t) => {
  const sealer = createSealer(ROOT);
  for (const text of ['', '王小明', '𠮷'.repeat(300)]) {
    t.is(sealer.unseal(sealer.seal(text, CONTEXT), CONTEXT), text);
  }
  const sealed = sealer.seal('王小明', CONTEXT);
  t.notDeepEqual(sealed, sealer.seal('王小明', CONTEXT), 'the same name is sealed differently every time');
  for (const elsewhere of ['persons:name_sealed:psn_2', 'persons:phone_sealed:psn_1', '']) {
    const fault = t.throws(() => sealer.unseal(sealed, elsewhere), { instanceOf: Fault });
    t.is(fault?.code, 'sealed_data_altered');
    t.false(fault?.message.includes('王'));
  }
});

test('a sealed column with any byte changed or missing does not open', (t) => {
  const sealer = createSealer(ROOT);
  const sealed = sealer.seal('110', CONTEXT);
  for (let place = 0; place < sealed.length; place += 1) {
    const altered = Uint8Array.from(sealed);
    altered[place]! ^= 1;
    t.throws(() => sealer.unseal(altered, CONTEXT), { instanceOf: Fault });
    t.throws(() => sealer.unseal(sealed.subarray(0, place), CONTEXT), { instanceOf: Fault });
  }
  t.throws(() => createSealer(Buffer.alloc(32, 8)).unseal(sealed, CONTEXT), { instanceOf: Fault });
  t.throws(() => createSealer(Buffer.alloc(31)), { instanceOf: Fault });
});

test('bytes that were kept after opening open again in their own place only, and not when they are others', (t) => {
  const sealer = createSealer(Buffer.alloc(32, 7));
  const sealed = sealer.seal('张三', CONTEXT);
  t.is(sealer.unsealKept(sealed, CONTEXT), '张三');
  t.is(sealer.unsealKept(sealed, CONTEXT), '张三');
  for (const elsewhere of ['persons:name_sealed:per_2', 'persons:phone_sealed:per_1']) {
    t.throws(() => sealer.unsealKept(sealed, elsewhere), { instanceOf: Fault });
  }
  const altered = Uint8Array.from(sealed, (byte, at) => (at === 20 ? byte ^ 1 : byte));
  t.throws(() => sealer.unsealKept(altered, CONTEXT), { instanceOf: Fault });
  t.throws(() => sealer.unsealKept(altered, CONTEXT), { instanceOf: Fault }, 'a refusal is no authentication');
  t.throws(() => createSealer(Buffer.alloc(32, 8)).unsealKept(sealed, CONTEXT), { instanceOf: Fault });
});

test('the blind index depends on the key, the type, the issuer and the number', (t) => {
  const document = { type: 'resident_id_card', issuer: 'CN', number: '339900199001011014' };
  const index = createBlindIndex(ROOT);
  const own = index.of(document);
  t.regex(own, /^[\w-]{43}$/);
  t.is(own, createBlindIndex(ROOT).of({ ...document }));
  const others = [
    createBlindIndex(Buffer.alloc(32, 8)).of(document),
    index.of({ ...document, type: 'passport' }),
    index.of({ ...document, issuer: 'FR' }),
    index.of({ type: 'resident_id_cardC', issuer: 'N', number: document.number }),
  ];
  t.is(new Set([own, ...others]).size, 5);
});

test('H2 cookies signed with an older key are still good, and the newest key signs', (t) => {
  const old = createCookieKeys(['old-key-old-key-old-key-old-key-']);
  const both = createCookieKeys(['new-key-new-key-new-key-new-key-', 'old-key-old-key-old-key-old-key-']);
  const cookie = '_session=abc';
  t.is(both.index(cookie, both.sign(cookie)), 0);
  t.is(both.index(cookie, old.sign(cookie)), 1);
  t.is(old.index(cookie, both.sign(cookie)), -1);
  const whole = createHmac('sha256', 'old-key-old-key-old-key-old-key-').update(cookie).digest('base64url');
  t.is(old.sign(cookie), whole.slice(0, 27), 'HMAC-SHA256, cut');
});

test('a cookie signature that is altered, cut, padded or spelled in other letters is refused', (t) => {
  const keys = createCookieKeys(['key-key-key-key-key-key-key-key-']);
  const good = keys.sign('_session=abc');
  t.true(keys.verify('_session=abc', good));
  const folded = String.fromCharCode(good.charCodeAt(0) + 256) + good.slice(1);
  const other = (good.startsWith('A') ? 'B' : 'A') + good.slice(1);
  for (const bad of ['', good.slice(1), `${good}A`, `${good}=`, `${good}\n`, folded, other]) {
    t.false(keys.verify('_session=abc', bad), JSON.stringify(bad));
  }
  t.false(keys.verify('_session=abd', good));
  t.throws(() => createCookieKeys([]), { instanceOf: Fault });
});
