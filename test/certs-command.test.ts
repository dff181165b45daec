import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer, get } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import test from 'ava';
import { isSignedBy, KEY_USAGE, readSm2Certificate } from '../src/crypto/x509/certificate.ts';
import { temporaryFolder } from './support/folders.ts';
import { tongban } from './support/product.ts';

const DEMO = { TONGBAN_PROFILE: 'demo' } as const;

test('whoever develops gets certificates of both kinds, and keeps the authorities they trust', async (t) => {
  const folder = join(temporaryFolder(t), 'certs');
  const made = await tongban(['certs', 'dev', '--out', folder, 'portal.example', '192.0.2.7'], DEMO);
  t.is(made.code, 0, made.stderr);
  const text = (name: string): string => readFileSync(join(folder, name), 'utf8');
  const der = (name: string): Buffer => new X509Certificate(text(name)).raw;

  const server = new X509Certificate(text('server.crt'));
  const authority = new X509Certificate(text('ca.crt'));
  t.true(server.verify(authority.publicKey) && server.checkIssued(authority));
  for (const name of ['localhost', 'portal.example']) t.is(server.checkHost(name), name);
  t.is(server.checkIP('192.0.2.7'), '192.0.2.7');
  t.is(server.checkHost('elsewhere.example'), undefined);

  const root = readSm2Certificate(der('sm2-ca.crt'));
  t.true(root?.isAuthority);
  for (const [name, signs] of [
    ['sm2-sign', true],
    ['sm2-encrypt', false],
    ['sm2-client', true],
  ] as const) {
    const leaf = readSm2Certificate(der(`${name}.crt`));
    t.true(leaf !== undefined && root !== undefined && isSignedBy(leaf.signed, root.key), name);
    t.is(leaf?.keyUsage?.has(KEY_USAGE.digitalSignature), signs, name);
    t.false(leaf?.isAuthority, name);
  }
  for (const name of ['ca', 'server', 'portal', 'client', 'sm2-ca', 'sm2-sign', 'sm2-encrypt', 'sm2-client']) {
    t.is(statSync(join(folder, `${name}.key`)).mode & 0o077, 0, name);
  }
  t.is(statSync(folder).mode & 0o077, 0);

  const again = await tongban(['certs', 'dev', '--out', folder], DEMO);
  t.is(again.code, 0, again.stderr);
  t.is(text('ca.crt'), authority.toString());
  t.not(text('server.crt'), server.toString());

  const listener = createServer(
    {
      cert: text('server.crt'),
      key: text('server.key'),
      ca: text('ca.crt'),
      requestCert: true,
      rejectUnauthorized: true,
    },
    (_, response) => response.end('hello'),
  ).listen(0, '127.0.0.1');
  t.teardown(() => listener.close());
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const client = { ca: text('ca.crt'), cert: text('client.crt'), key: text('client.key') };
  const [answer] = await once(get({ host: '127.0.0.1', port, ...client, agent: false }), 'response');
  t.is(answer.statusCode, 200, 'and they speak TLS with one another');
});

test('H1 certificates to develop with are not made in production, nor for names that are none', async (t) => {
  const folder = join(temporaryFolder(t), 'certs');
  const production = { TONGBAN_PROFILE: 'production', TONGBAN_ISSUER: 'https://id.example' };
  const refused = await tongban(['certs', 'dev', '--out', folder], production);
  t.is(refused.code, 1);
  t.regex(refused.stderr, /no place in production/);
  for (const args of [['dev', '--out'], ['dev', '--out', folder, 'a,DNS:evil.example'], ['dev', '--frob'], []]) {
    t.is((await tongban(['certs', ...args], DEMO)).code, 2, args.join(' '));
  }
  t.is((await tongban(['certs', 'dev', '--out', folder, '--help'], DEMO)).code, 0, 'who asks how it goes makes none');
  t.false(existsSync(folder));
});

test('an operator sees of an SM2 pair whether it holds, and what each is for, before a proxy is given it', async (t) => {
  const [ours, theirs] = [join(temporaryFolder(t), 'ours'), join(temporaryFolder(t), 'theirs')];
  for (const folder of [ours, theirs]) t.is((await tongban(['certs', 'dev', '--out', folder], DEMO)).code, 0);
  const check = (...files: readonly string[]) => tongban(['certs', 'check', ...files], DEMO);
  const [authority, sign, encrypt] = ['sm2-ca', 'sm2-sign', 'sm2-encrypt'].map((name) => join(ours, `${name}.crt`));
  const good = await check(authority!, sign!, encrypt!);
  t.is(good.code, 0, good.stderr);
  t.regex(
    good.stdout,
    /sm2-sign\.crt holds until [\d-]{10}, to sign\.\n.*sm2-encrypt\.crt holds until [\d-]{10}, to encrypt\.\n$/,
  );

  const bad = await check(authority!, join(theirs, 'sm2-sign.crt'), sign!, join(ours, 'server.crt'), authority!);
  t.is(bad.code, 1);
  t.regex(bad.stdout, /^[^\n]*sm2-sign\.crt holds/, 'the good one among them is still named');
  const [foreign, other, above] = bad.stderr.split('\n');
  t.regex(foreign!, /theirs\/sm2-sign\.crt is signed by none of the authorities/);
  t.regex(other!, /server\.crt holds no SM2 certificate/);
  t.regex(above!, /sm2-ca\.crt is the certificate of an authority/);
  const absent = await check(authority!, join(ours, 'nowhere.crt'));
  t.is(absent.code, 1);
  t.regex(absent.stderr, /cannot be read/);
});
