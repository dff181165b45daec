import test from 'ava';
import { calculateJwkThumbprint, importJWK, jwtVerify, SignJWT } from 'jose';
import { readSm2Jwk } from '../src/crypto/jose/sm2-jwk.ts';
import { createKeyring } from '../src/crypto/keyring.ts';
import { createSealer } from '../src/crypto/sealing.ts';
import { SIGNING_ALGORITHMS } from '../src/crypto/signing-key.ts';
import { readSm2PrivateKey, signSm2, verifySm2 } from '../src/crypto/sm2/sm2.ts';
import { turnClock } from '../src/shared/clock.ts';
import { Fault } from '../src/shared/fault.ts';
import type { Database } from '../src/storage/database.ts';
import { sqliteDatabase } from './support/databases.ts';
import { fixedMaster } from './support/key-house.ts';
import { ledgerEntries, testLedger } from './support/ledger.ts';

const LONGEST = 3600;
const PUBLISHED = 600;

function keyringOn(database: Database, rootByte = 1) {
  return createKeyring({
    database,
    algorithms: SIGNING_ALGORITHMS,
    sealer: fixedMaster(createSealer(Buffer.alloc(32, rootByte))),
    ledger: testLedger(database),
    longestTokenLifeSeconds: LONGEST,
    publishedBeforeUseSeconds: PUBLISHED,
  });
}

const kidsByState = async (database: Database, alg: string) => {
  const rows = await database.all<{ kid: string; state: string }>('SELECT kid, state FROM keys WHERE alg = $1', [alg]);
  const of = (wanted: string) => rows.filter(({ state }) => state === wanted).map(({ kid }) => kid);
  return { current: of('current'), next: of('next'), previous: of('previous') };
};

test.afterEach.always(() => turnClock(0));

test.serial(
  'B5 the first start makes a current and a next key of each algorithm, however many nodes start at once',
  async (t) => {
    const database = await sqliteDatabase(t);
    await Promise.all([keyringOn(database).ensure(), keyringOn(database).ensure(), keyringOn(database).ensure()]);
    await keyringOn(database).ensure();
    const { privateKeys } = await keyringOn(database).jwks();
    t.deepEqual(
      privateKeys.map(({ alg }) => alg),
      ['ES256', 'RS256', 'SGD_SM3_SM2', 'ES256', 'RS256', 'SGD_SM3_SM2'],
    );
    t.is(new Set(privateKeys.map(({ kid }) => kid)).size, 6);
    for (const jwk of privateKeys) {
      t.is(jwk.use, 'sig');
      t.is(jwk.kid, await calculateJwkThumbprint(jwk), 'the kid is the RFC 7638 thumbprint');
      t.is(typeof jwk.d, 'string');
    }
    const stored = await database.all<{ public_jwk: string; private_sealed: Uint8Array }>('SELECT * FROM keys', []);
    for (const row of stored) {
      t.false('d' in JSON.parse(row.public_jwk));
      t.false(Buffer.from(row.private_sealed).includes('"d"'));
    }
    const events = await ledgerEntries(database, 'key.created');
    t.is(events.length, 6);
    await t.throwsAsync(keyringOn(database, 2).jwks(), { instanceOf: Fault }, 'another root key opens none of them');
  },
);

test.serial('B6 a key signs only after it was published, and stays until its last token has expired', async (t) => {
  const database = await sqliteDatabase(t);
  const keyring = keyringOn(database);
  await keyring.ensure();
  const before = await kidsByState(database, 'ES256');
  const early = await keyring.rotate('ES256');
  t.false(early.ok, 'portals may not have seen the next key yet');
  const version = await keyring.version();

  turnClock(PUBLISHED * 1000);
  const published = (await keyring.jwks()).privateKeys.map(({ kid }) => kid);
  t.deepEqual(await keyring.rotate('ES256'), { ok: true, kid: before.next[0]! });
  t.true(published.includes(before.next[0]!));
  t.true((await keyring.version()) > version);
  const after = await kidsByState(database, 'ES256');
  t.deepEqual(after.current, before.next);
  t.deepEqual(after.previous, before.current);
  t.false(published.includes(after.next[0]!));
  t.deepEqual(
    (await keyring.jwks()).privateKeys.filter(({ alg }) => alg === 'ES256').map(({ kid }) => kid),
    [...after.current, ...after.next, ...after.previous],
  );

  turnClock((PUBLISHED + LONGEST) * 1000);
  t.deepEqual(await keyring.prune(), []);
  turnClock((PUBLISHED + LONGEST + 301) * 1000);
  t.deepEqual(await keyring.prune(), before.current);
  const types = (await ledgerEntries(database)).filter(({ type }) => type !== 'key.created');
  t.deepEqual(
    types.map(({ type }) => type),
    ['key.rotated', 'key.removed'],
  );
});

test.serial('two administrators who rotate at once rotate once', async (t) => {
  const database = await sqliteDatabase(t);
  await keyringOn(database).ensure();
  turnClock(PUBLISHED * 1000);
  const outcomes = await Promise.all([keyringOn(database).rotate('ES256'), keyringOn(database).rotate('ES256')]);
  t.is(outcomes.filter(({ ok }) => ok).length, 1);
  const { current, next, previous } = await kidsByState(database, 'ES256');
  t.deepEqual([current.length, next.length, previous.length], [1, 1, 1]);
});

test.serial('the keys sign and verify', async (t) => {
  const database = await sqliteDatabase(t);
  await keyringOn(database).ensure();
  for (const { d, p, q, dp, dq, qi, ...jwk } of (await keyringOn(database).jwks()).privateKeys) {
    const alg = jwk.alg!;
    if (alg === 'SGD_SM3_SM2') {
      const key = readSm2PrivateKey(Buffer.from(d!, 'base64url'));
      t.true(verifySm2(Buffer.from('x'), signSm2(Buffer.from('x'), key), readSm2Jwk(jwk)));
      continue;
    }
    const key = await importJWK({ ...jwk, d, p, q, dp, dq, qi } as typeof jwk, alg);
    const token = await new SignJWT({ sub: 'x' }).setProtectedHeader({ alg }).sign(key);
    t.is((await jwtVerify(token, await importJWK(jwk, alg))).payload.sub, 'x');
  }
});
