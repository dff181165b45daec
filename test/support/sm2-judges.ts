import { createPrivateKey, createPublicKey, randomBytes, randomInt, sign, verify } from 'node:crypto';
import { sm2 } from 'sm-crypto';
import { SM2_ORDER, SM2_USER_ID } from '../../src/crypto/signer.ts';
import { createBigIntEngine } from '../../src/crypto/sm2/bigint-engine.ts';
import { sm2Engine } from '../../src/crypto/sm2/engine.ts';
import {
  decryptSm2,
  digestSm2,
  encryptSm2,
  readSm2PrivateKey,
  type Sm2PrivateKey,
  signSm2,
  verifySm2,
} from '../../src/crypto/sm2/sm2.ts';
import { derSignature, privatePem, publicPem, rawSignature } from './sm2-forms.ts';

/** A key, a message, and what our own SM2 has made of them. */
export interface Sm2Case {
  readonly d: Buffer;
  readonly key: Sm2PrivateKey;
  readonly message: Buffer;
  readonly signature: Buffer;
  readonly text: Buffer;
  readonly ciphertext: Buffer;
}

/** Another implementation. Resolves with what it and ours do not agree about. */
export interface Sm2Judge {
  readonly name: string;
  judge(one: Sm2Case): Promise<readonly string[]>;
  close?(): void;
}

const scalar = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, '0'), 'hex');

/** Small ones, those next to the order and those with long runs of equal bits are as likely as all others together. */
function randomPrivateKey(): Buffer {
  const small = BigInt(randomInt(1, 1000));
  const shapes = [
    () => small,
    () => SM2_ORDER - 1n - small,
    () => (1n << BigInt(randomInt(1, 255))) - 1n,
    () => 1n << BigInt(randomInt(255)),
  ];
  if (randomInt(2) === 0) return scalar(shapes[randomInt(shapes.length)]!());
  return scalar((BigInt(`0x${randomBytes(40).toString('hex')}`) % (SM2_ORDER - 2n)) + 1n);
}

export function randomSm2Case(): Sm2Case {
  const d = randomPrivateKey();
  const key = readSm2PrivateKey(d);
  const message = randomBytes(randomInt(300));
  const text = randomBytes(1 + randomInt(100));
  return { d, key, message, signature: signSm2(message, key), text, ciphertext: encryptSm2(text, key.publicKey) };
}

/** The sentences whose condition is false. */
export const unmet = (claims: Readonly<Record<string, boolean>>): readonly string[] =>
  Object.entries(claims).flatMap(([claim, holds]) => (holds ? [] : [claim]));

export const ourselves: Sm2Judge = {
  name: 'ourselves',
  async judge({ key, message, signature, text, ciphertext }) {
    const other = Buffer.from(message);
    const altered = Buffer.from(signature);
    altered[randomInt(64)]! ^= 1 << randomInt(8);
    const damaged = Buffer.from(ciphertext);
    damaged[randomInt(damaged.length)]! ^= 1 << randomInt(8);
    return unmet({
      'our signature verifies': verifySm2(other, signature, key.publicKey),
      'an altered signature is refused': !verifySm2(message, altered, key.publicKey),
      'our ciphertext opens': decryptSm2(ciphertext, key)?.equals(text) === true,
      'a damaged ciphertext is refused': decryptSm2(damaged, key) === undefined,
    });
  },
};

const plain = createBigIntEngine();

/** The engine in BigInt: with the same nonce, every byte must be the same. */
export const bigIntJudge: Sm2Judge = {
  name: 'BigInt',
  async judge({ d, key, message, signature }) {
    const k = randomPrivateKey();
    const e = digestSm2(message, key.publicKey);
    const point = key.publicKey.bytes.subarray(1);
    const fast = sm2Engine();
    const ours = fast.givenNonce.sign(e, fast.signingFactor(d), k);
    const [share, plainShare] = [fast.givenNonce.share(point, k), plain.givenNonce.share(point, k)];
    return unmet({
      'keys are the same': plain.publicKey(d)?.equals(point) === true,
      'signing factors are the same': plain.signingFactor(d).equals(fast.signingFactor(d)),
      'signatures are the same':
        ours !== undefined && plain.givenNonce.sign(e, plain.signingFactor(d), k)?.equals(ours) === true,
      'shared points are the same': share !== undefined && plainShare?.kept.equals(share.kept) === true,
      'sent points are the same': share !== undefined && plainShare?.sent.equals(share.sent) === true,
      'it verifies ours': plain.verify(e, signature, point),
    });
  },
};

/** OpenSSL within Node, which knows the empty user id alone. It does not encrypt. */
export const nodeJudge: Sm2Judge = {
  name: 'OpenSSL in Node, empty user id',
  async judge({ d, message }) {
    const key = readSm2PrivateKey(d, '');
    const publicKey = createPublicKey(publicPem(key.publicKey.bytes));
    const privateKey = createPrivateKey(privatePem(d, key.publicKey.bytes));
    return unmet({
      'it verifies ours': verify('sm3', message, publicKey, derSignature(signSm2(message, key))),
      'we verify its': verifySm2(message, rawSignature(sign('sm3', message, privateKey)), key.publicKey),
    });
  },
};

const OPTIONS = { hash: true, der: false, userId: SM2_USER_ID } as const;

export const smCryptoJudge: Sm2Judge = {
  name: 'sm-crypto',
  async judge({ d, key, message, signature, text, ciphertext }) {
    const [privateHex, publicHex] = [d.toString('hex'), key.publicKey.bytes.toString('hex')];
    const theirs = sm2.doSignature(message, privateHex, { ...OPTIONS, publicKey: publicHex });
    const sealed = Buffer.from(`04${sm2.doEncrypt(text, publicHex, 1)}`, 'hex');
    const opened = sm2.doDecrypt(ciphertext.subarray(1).toString('hex'), privateHex, 1, { output: 'array' });
    return unmet({
      'it verifies ours': sm2.doVerifySignature(message, signature.toString('hex'), publicHex, OPTIONS),
      'we verify its': verifySm2(message, Buffer.from(theirs, 'hex'), key.publicKey),
      'it opens ours': Buffer.from(opened).equals(text),
      'we open its': decryptSm2(sealed, key)?.equals(text) === true,
    });
  },
};
