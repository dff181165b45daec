import { randomBytes } from 'node:crypto';
import test from 'ava';
import {
  sm2CiphertextFromDer,
  sm2CiphertextToDer,
  sm2SignatureFromDer,
  sm2SignatureToDer,
} from '../src/crypto/sm2/der.ts';
import { derCiphertext, derSignature } from './support/sm2-forms.ts';

const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');
const RAW =
  '16241cfa6077f7489e1ef5d6e2dc41f80b1029f3134a412aad1e947c4c6b0cb3d598563a4ad5c13a127b8611213e82edc1ce168757ac619956e9ddc6a25706a8';
const DER =
  '3045022016241cfa6077f7489e1ef5d6e2dc41f80b1029f3134a412aad1e947c4c6b0cb3022100d598563a4ad5c13a127b8611213e82edc1ce168757ac619956e9ddc6a25706a8';

test('a signature is the same in both forms, by a published pair and by another writer', (t) => {
  t.is(sm2SignatureToDer(bytes(RAW)).toString('hex'), DER);
  t.is(sm2SignatureFromDer(bytes(DER))?.toString('hex'), RAW);
  for (let round = 0; round < 500; round += 1) {
    const raw = randomBytes(64);
    raw.fill(0, 0, round % 33);
    raw.fill(0, 32, 32 + ((round * 5) % 33));
    t.deepEqual(sm2SignatureToDer(raw), derSignature(raw));
    t.deepEqual(sm2SignatureFromDer(derSignature(raw)), raw);
  }
});

test('R8 a signature has one form in DER: no other bytes stand for the same numbers', (t) => {
  const malformed: Readonly<Record<string, string>> = {
    empty: '',
    'no sequence': `31${DER.slice(2)}`,
    'bytes after it': `${DER}00`,
    'bytes missing': DER.slice(0, -2),
    'a length in long form': `308145${DER.slice(4)}`,
    'an endless length': `3080${DER.slice(4)}`,
    'a number with a zero too many': '3008020200010202007f',
    'a negative number': '30060201810201' + '01',
    'a number of no bytes': '30050200020101',
    'a number of more than 256 bits': `3026022101${'00'.repeat(32)}020101`,
    'one number': '3003020101',
    'three numbers': '3009020101020101020101',
    'octets in place of a number': '3006040101020101',
    'an element longer than the sequence': '3006020101020501',
  };
  for (const [what, der] of Object.entries(malformed)) t.is(sm2SignatureFromDer(bytes(der)), undefined, what);
});

test('V59 a ciphertext is the same in both forms, and nothing else is one', (t) => {
  for (const length of [1, 19, 100, 127, 128, 160, 255, 300]) {
    const raw = Buffer.concat([bytes('04'), randomBytes(96), randomBytes(length)]);
    if (length === 19) raw.fill(0, 1, 4);
    const der = sm2CiphertextToDer(raw);
    t.deepEqual(der, derCiphertext(raw));
    t.deepEqual(sm2CiphertextFromDer(der), raw);
    t.is(sm2CiphertextFromDer(Buffer.concat([der, bytes('00')])), undefined);
    t.is(sm2CiphertextFromDer(der.subarray(0, -1)), undefined);
  }
  const short = Buffer.concat([bytes('04'), randomBytes(96), randomBytes(5)]);
  // Its first number then begins with a zero: what five bytes say is the form, and no digit of a number.
  short[1]! |= 0x80;
  const der = sm2CiphertextToDer(short);
  for (let place = 0; place < 5; place += 1) {
    const altered = Buffer.from(der);
    altered[place]! ^= 0x40;
    t.is(sm2CiphertextFromDer(altered), undefined, `byte ${place}`);
  }
});
