import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { checkConfig, prepareConfig } from '../src/config/prepare.ts';
import { randomSecret } from '../src/shared/random.ts';
import { temporaryFolder } from './support/folders.ts';

type Env = Readonly<Record<string, string>>;

const PREPARE = new URL('../src/config/prepare.ts', import.meta.url).href;
const EXAMPLE = new URL('../config/production.example.json', import.meta.url).pathname;

const key = (): string => randomSecret(32).toString('base64url');

/** A folder that does not exist yet, in a place that is removed after the test. */
const freshFolder = (t: ExecutionContext): string => join(temporaryFolder(t), 'data');

const production = (dataDir: string): Env => ({
  TONGBAN_CONFIG: EXAMPLE,
  TONGBAN_DATA_DIR: dataDir,
  TONGBAN_ENCRYPTION_KEY: key(),
});

function refusals(env: Env): string {
  const outcome = checkConfig({ env });
  return outcome.ok ? '' : outcome.sentences.join('\n');
}

/** Prepares in a process of its own; resolves with the secrets it ended up with. */
function prepareElsewhere(dataDir: string): Promise<string> {
  const script = `import { prepareConfig } from ${JSON.stringify(PREPARE)};
    const outcome = prepareConfig({ env: { TONGBAN_DATA_DIR: process.argv[1] } });
    process.stdout.write(JSON.stringify(outcome.config.secrets));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  return new Promise((resolve) => child.on('close', () => resolve(text)));
}

test('V65 a first start makes secrets of its own that only its user can read', (t) => {
  const [one, other] = [freshFolder(t), freshFolder(t)];
  const first = prepareConfig({ env: { TONGBAN_DATA_DIR: one } });
  const second = prepareConfig({ env: { TONGBAN_DATA_DIR: other } });
  if (!first.ok || !second.ok) return t.fail();
  t.is(statSync(one).mode & 0o777, 0o700);
  t.is(statSync(join(one, 'secrets.json')).mode & 0o777, 0o600);
  const values = [first, second].flatMap(({ config }) => Object.values(config.secrets).flat());
  t.is(new Set(values).size, 10, 'two installs share no secret');
  for (const value of values) t.is(Buffer.from(value, 'base64url').length, 32);
  const again = prepareConfig({ env: { TONGBAN_DATA_DIR: one } });
  t.deepEqual(again.ok && again.config.secrets, first.config.secrets, 'a second start finds them again');
});

test('processes that start together end with the same secrets', async (t) => {
  const folder = freshFolder(t);
  const seen = await Promise.all(Array.from({ length: 4 }, () => prepareElsewhere(folder)));
  t.is(new Set(seen).size, 1);
  t.true((seen[0]?.length ?? 0) > 200);
  t.deepEqual(readdirSync(folder), ['secrets.json']);
});

test('a configured secret wins over a generated one', (t) => {
  const pepper = key();
  const outcome = prepareConfig({ env: { TONGBAN_DATA_DIR: freshFolder(t), TONGBAN_PEPPER: pepper } });
  t.is(outcome.ok && outcome.config.secrets.pepper, pepper);
});

test('damaged secrets are reported and never replaced', (t) => {
  const folder = freshFolder(t);
  mkdirSync(folder, { mode: 0o700 });
  const path = join(folder, 'secrets.json');
  for (const text of ['', '{"format":1', '{"format":1,"generatedFor":"demo","secrets":{"pepper":"hunter2"}}']) {
    writeFileSync(path, text);
    const outcome = prepareConfig({ env: { TONGBAN_DATA_DIR: folder } });
    t.like(outcome, { ok: false, exitCode: 2 });
    t.false(JSON.stringify(outcome).includes('hunter2'));
    t.is(readFileSync(path, 'utf8'), text);
  }
});

test('a data folder that cannot be used ends the start with exit code 1', (t) => {
  const blocked = freshFolder(t);
  writeFileSync(blocked, '');
  for (const dataDir of [blocked, join(blocked, 'below'), '/proc/tongban']) {
    const outcome = prepareConfig({ env: { TONGBAN_DATA_DIR: dataDir } });
    t.like(outcome, { ok: false, exitCode: 1 }, dataDir);
    t.true(!outcome.ok && outcome.sentences.join().includes(dataDir));
  }
});

test('H1 production starts from the example once its encryption key is configured', (t) => {
  const folder = freshFolder(t);
  const env = production(folder);
  t.is(refusals(env), '');
  t.false(existsSync(folder), 'checking writes nothing');
  const outcome = prepareConfig({ env });
  t.like(outcome, {
    ok: true,
    config: { profile: 'production', secrets: { encryptionKey: env.TONGBAN_ENCRYPTION_KEY } },
  });
});

test('H1 production refuses everything that suits only a demonstration, all at once', (t) => {
  const folder = freshFolder(t);
  const env = {
    TONGBAN_PROFILE: 'production',
    TONGBAN_DATA_DIR: folder,
    TONGBAN_ISSUER: 'http://id.example',
    TONGBAN_REGISTERS_POPULATION: 'sample',
    TONGBAN_REGISTERS_LEGAL_PERSONS: 'sample',
    TONGBAN_REGISTRATION_ENABLED: 'true',
    TONGBAN_MESSENGER: 'mailbox',
    TONGBAN_DEMO_PORTALS: 'true',
    TONGBAN_PASSWORD_MEMORY_KIB: '8192',
    TONGBAN_PEPPER: 'tongban-sample-pepper-that-somebody-copied-0001',
    TONGBAN_PAIRWISE_SALT: '0'.repeat(43),
  };
  const outcome = prepareConfig({ env });
  t.like(outcome, { ok: false, exitCode: 2 });
  const text = outcome.ok ? '' : outcome.sentences.join('\n');
  const subjects = [
    /issuer is not https/,
    /trustedProxies/,
    /registers\.population is sample/,
    /registers\.legalPersons is sample/,
    /registration\.enabled/,
    /messenger/,
    /demo\.portals/,
    /memoryKib/,
    /encryptionKey is not configured/,
    /secrets\.pepper is a sample/,
    /secrets\.pairwiseSalt is a sample/,
  ];
  for (const subject of subjects) t.regex(text, subject);
  t.false(existsSync(folder), 'a refused start leaves nothing behind');
});

test('H1 production asks a register over https alone, and wants to know how both sides prove who they are', (t) => {
  const asked = { ...production(freshFolder(t)), TONGBAN_REGISTERS_LEGAL_PERSONS: 'http' };
  const missing = refusals(asked);
  for (const name of ['url', 'appId', 'signingKeyFile', 'publicKey']) {
    t.regex(missing, new RegExp(`^registers\\.legalPersonsHttp\\.${name} .*must be set when`, 'm'));
  }
  t.notRegex(missing, /certificateFile|populationHttp/);
  const overTls = { ...asked, TONGBAN_REGISTERS_LEGAL_PERSONS_HTTP_AUTHENTICATION: 'mutual-tls' };
  for (const name of ['certificateFile', 'keyFile', 'authorityFile']) {
    t.regex(refusals(overTls), new RegExp(`^registers\\.legalPersonsHttp\\.${name} `, 'm'));
  }
  const complete = {
    ...asked,
    TONGBAN_REGISTERS_LEGAL_PERSONS_HTTP_URL: 'http://adapter.example/companies',
    TONGBAN_REGISTERS_LEGAL_PERSONS_HTTP_APP_ID: 'tongban',
    TONGBAN_REGISTERS_LEGAL_PERSONS_HTTP_SIGNING_KEY_FILE: '/run/secrets/register',
    TONGBAN_REGISTERS_LEGAL_PERSONS_HTTP_PUBLIC_KEY: `04${'ab'.repeat(64)}`,
  };
  t.regex(refusals(complete), /^registers\.legalPersonsHttp\.url is not https/);
  t.is(refusals({ ...complete, TONGBAN_REGISTERS_LEGAL_PERSONS_HTTP_URL: 'https://adapter.example/companies' }), '');
  for (const url of ['https://a.example/', 'https://a.example/x?y', 'https://u:p@a.example', 'ftp://a.example', 'a']) {
    t.regex(refusals({ ...complete, TONGBAN_REGISTERS_LEGAL_PERSONS_HTTP_URL: url }), /must be an address/, url);
  }
});

test('H1 production asks a signature server over https alone, and wants to know how both sides prove who they are', (t) => {
  const asked = { ...production(freshFolder(t)), TONGBAN_SIGNER_SM2: 'server' };
  t.regex(refusals(asked), /^signer\.server\.url .*must be set when signer\.sm2 is server/);
  const reached = { ...asked, TONGBAN_SIGNER_SERVER_URL: 'http://svs.example' };
  for (const name of ['certificateFile', 'keyFile', 'authorityFile']) {
    t.regex(refusals(reached), new RegExp(`^signer\\.server\\.${name} .*must be set when`, 'm'));
  }
  t.notRegex(refusals(reached), /appId|sharedKeyFile/);
  const complete = {
    ...reached,
    TONGBAN_SIGNER_SERVER_AUTHENTICATION: 'shared-key',
    TONGBAN_SIGNER_SERVER_APP_ID: 'tongban',
    TONGBAN_SIGNER_SERVER_SHARED_KEY_FILE: '/run/secrets/svs',
  };
  t.regex(refusals(complete), /^signer\.server\.url is not https/);
  t.is(refusals({ ...complete, TONGBAN_SIGNER_SERVER_URL: 'https://svs.example/tongban' }), '');
});

test('V65 production refuses the secrets of the test profile', (t) => {
  const shipped = JSON.parse(readFileSync(new URL('../config/test.json', import.meta.url), 'utf8'));
  const text = refusals({ ...production(freshFolder(t)), TONGBAN_ENCRYPTION_KEY: shipped.secrets.encryptionKey });
  t.regex(text, /secrets\.encryptionKey is a sample/);
  t.false(text.includes(shipped.secrets.encryptionKey));
});

test('H1 production refuses secrets that a demonstration generated', (t) => {
  const folder = freshFolder(t);
  t.true(prepareConfig({ env: { TONGBAN_DATA_DIR: folder } }).ok);
  t.regex(refusals(production(folder)), /generated for the profile demo/);
});

test('H1 production refuses a data folder or secrets that others can read', (t) => {
  const folder = freshFolder(t);
  const env = production(folder);
  t.true(prepareConfig({ env }).ok);
  chmodSync(folder, 0o750);
  chmodSync(join(folder, 'secrets.json'), 0o604);
  const lines = refusals(env).split('\n');
  t.is(lines.length, 2);
  for (const line of lines) t.regex(line, /chmod go-rwx/);
});

test('nodes that share a database must be given their secrets', (t) => {
  const env = { ...production(freshFolder(t)), TONGBAN_DATABASE_URL: 'postgres://db.example/tongban' };
  t.regex(refusals(env), /configure indexKey, pepper, pairwiseSalt, cookieKeys/);
  const complete = {
    TONGBAN_INDEX_KEY: key(),
    TONGBAN_PEPPER: key(),
    TONGBAN_PAIRWISE_SALT: key(),
    TONGBAN_COOKIE_KEYS: `${key()},${key()}`,
  };
  t.is(refusals({ ...env, ...complete }), '');
  t.regex(refusals({ ...env, ...complete, TONGBAN_PEPPER: complete.TONGBAN_INDEX_KEY }), /same value/);
});

test('S2 an accepted short retention is said at every start', (t) => {
  const env = { TONGBAN_LEDGER_RETENTION_DAYS: '200', TONGBAN_LEDGER_SHORT_RETENTION_ACCEPTED: 'true' };
  const outcome = checkConfig({ env: { ...env, TONGBAN_DATA_DIR: freshFolder(t) } });
  t.regex(outcome.ok ? outcome.warnings.join() : '', /200 days/);
});
