import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { followCertifiedKeys, readCertifiedKeys } from '../src/crypto/jose/certified-keys.ts';
import { readSm2Jwk } from '../src/crypto/jose/sm2-jwk.ts';
import { nowSeconds, turnClock } from '../src/shared/clock.ts';
import { DOCUMENT_AGE_SECONDS } from '../src/web/front.ts';
import { type CertificateWishes, makeCertificate } from './support/certificate-maker.ts';
import { temporaryFolder } from './support/folders.ts';
import { startServer } from './support/server.ts';
import { until } from './support/waiting.ts';

const ALG = 'SGD_SM3_SM2';
const DAY = 86_400;
const [SIGN, ENCRYPT, CERTIFY] = [0, 2, 5] as const;

const period = (from = -DAY, to = DAY) => ({ validFrom: nowSeconds() + from, validTo: nowSeconds() + to });
const root = makeCertificate({ subject: 'root', ...period(), usage: [CERTIFY], authority: {} });
const leaf = (more: Partial<CertificateWishes> = {}) =>
  makeCertificate({ subject: 'tokens', ...period(), usage: [SIGN], ...more }, root);

type KeySet = readonly Readonly<Record<string, unknown>>[];

test.serial('a key that an authority has certified carries its certificates in the key set', async (t) => {
  t.timeout(60_000);
  t.teardown(() => turnClock(0));
  const file = join(temporaryFolder(t), 'tokens.pem');
  writeFileSync(file, leaf().pem + root.pem);
  const server = await startServer(t, { signer: { certificateFiles: [file] } });
  const keys = async () =>
    ((await (await fetch(`${server.issuer}/jwks`)).json()) as { keys: KeySet }).keys.filter(({ alg }) => alg === ALG);
  const before = await keys();
  t.true(
    before.every((key) => !('x5c' in key)),
    'the certificate of another key says nothing of ours',
  );

  const own = leaf({ holder: readSm2Jwk(before[1]!) });
  writeFileSync(file, own.pem + root.pem);
  turnClock(DOCUMENT_AGE_SECONDS * 1000);
  t.true((await server.house.keyring.rotate(ALG)).ok);
  t.true(await until(async () => (await keys()).length === 3, 30_000));
  const certified = (await keys()).filter((key) => 'x5c' in key);
  t.deepEqual(
    certified.map(({ kid, x5c }) => ({ kid, x5c })),
    [{ kid: before[1]!.kid, x5c: [own.der, root.der].map((der) => der.toString('base64')) }],
  );
});

test('a certificate that is not in order stops the start, and one that is over is left out', (t) => {
  const folder = temporaryFolder(t);
  const fileOf = (text: string): string => {
    const file = join(folder, 'tokens.pem');
    writeFileSync(file, text);
    return file;
  };
  const read = (text: string) => readCertifiedKeys([fileOf(text)]);
  const other = makeCertificate({ subject: 'other', ...period(), usage: [CERTIFY], authority: {} });
  t.is(read(leaf().pem + root.pem).size, 1);
  t.is(read(leaf().pem).size, 1, 'without those above it');
  t.is(read(leaf(period(-2 * DAY, -DAY)).pem + root.pem).size, 0);
  for (const [text, why] of [
    ['', /holds no certificate/],
    [root.pem, /does not begin with a certificate to sign with/],
    [leaf({ usage: [ENCRYPT] }).pem + root.pem, /does not begin with a certificate to sign with/],
    [leaf().pem + other.pem, /holds no chain/],
    ['-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n', /no SM2 certificate/],
  ] as const) {
    t.throws(() => read(text), { message: why });
  }
  t.throws(() => readCertifiedKeys([join(folder, 'nowhere.pem')]), { message: /cannot be read/ });

  const files = [fileOf(leaf().pem + root.pem)];
  const faults: unknown[] = [];
  const follow = followCertifiedKeys(files, (error) => faults.push(error));
  fileOf('');
  t.is(follow().size, 1, 'while the server runs, what was read last holds');
  t.is(faults.length, 1);
  t.throws(() => followCertifiedKeys(files, () => {}), { message: /holds no certificate/ });
});
