import test from 'ava';
import { alignedStep } from '../src/factors/otp-token.ts';
import { gmt0021Code, type TokenSeed, tokenCode, totpSm3Code } from '../src/factors/token-codes.ts';
import { nowSeconds, turnClock } from '../src/shared/clock.ts';

/** GM/T 0021, appendix C: key, seconds (a step lasts one), event counter, challenge, code. */
const GMT0021 = [
  ['1234567890abcdef1234567890abcdef', 1313998979, 1234, '5678', '814095'],
  ['1234567890abcdefabcdef1234567890', 1313998995, 5621, '3698', '959691'],
  ['1234567890abcdef0987654321abcdef', 1313999014, 5621, '3698', '063014'],
  ['1234567890abcdefabcdef0987654321', 1313999047, 2053, '6984', '302593'],
  ['87524138025adcfe2584376195abfedc', 1313999067, 2058, '3024', '657337'],
  ['87524138025adcfeabfedc2584376195', 1313999098, 2056, '2018', '345821'],
  ['adcfe87524138025abfedc2584376195', 1313999131, 2358, '1036', '629660'],
  ['58ade3698fe280cb6925010dd236caef', 1313999155, 2547, '2058', '479821'],
  ['58ade365201d80cbdd236caef6925010', 1313999174, 6031, '2058', '893826'],
  ['65201d80cb58ade3dd236caef6925010', 1313999189, 6580, '1047', '607614'],
] as const;

const SEED: TokenSeed = {
  algorithm: 'gmt0021',
  key: '1234567890abcdef1234567890abcdef',
  periodSeconds: 60,
  digits: 6,
};

test.afterEach(() => turnClock(0));

test('the ten vectors of GM/T 0021', (t) => {
  for (const [key, step, counter, challenge, code] of GMT0021)
    t.is(gmt0021Code(Buffer.from(key, 'hex'), { step, counter, challenge }, 6), code, key);
});

test('a token of GM/T 0021 that counts minutes', (t) => {
  for (const [seconds, code] of [
    [0, '607999'],
    [59, '607999'],
    [1_700_000_000, '134598'],
  ] as const)
    t.is(tokenCode(SEED, Math.floor(seconds / SEED.periodSeconds)), code, String(seconds));
  t.not(tokenCode(SEED, 1), '607999');
});

test('RFC 6238 with HMAC-SM3 is another scheme, with codes of its own', (t) => {
  const key = Buffer.from('12345678901234567890123456789012', 'ascii');
  for (const [seconds, code] of [
    [59, '70252643'],
    [1_111_111_109, '03087309'],
    [2_000_000_000, '78318009'],
  ] as const)
    t.is(totpSm3Code(key, Math.floor(seconds / 30), 8), code, String(seconds));
  const seed = { algorithm: 'totp-hmac-sm3', key: key.toString('hex'), periodSeconds: 30, digits: 8 } as const;
  t.is(tokenCode(seed, 1), '70252643');
  t.not(tokenCode({ ...seed, algorithm: 'gmt0021' }, 1), '70252643');
});

test.serial('a token that has gone astray is found by two codes in a row, and by nothing less', (t) => {
  const present = Math.floor(nowSeconds() / 60);
  for (const away of [-120, -7, 0, 1, 119, 120]) {
    const [first, second] = [tokenCode(SEED, present + away - 1), tokenCode(SEED, present + away)];
    t.is(alignedStep(SEED, first, second), present + away, String(away));
    t.is(alignedStep(SEED, second, first), undefined, 'the other way round');
    t.is(alignedStep(SEED, second, second), undefined);
    t.is(alignedStep(SEED, first, tokenCode(SEED, present + away + 1)), undefined, 'with one left out');
  }
  t.is(alignedStep(SEED, tokenCode(SEED, present + 121), tokenCode(SEED, present + 122)), undefined, 'too far');
});
