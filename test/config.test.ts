import test from 'ava';
import { showConfig } from '../src/commands/config.ts';
import { loadConfig, shippedSettings } from '../src/config/load.ts';
import { REGENERATE_COMMAND, readReference, renderReference } from '../src/config/reference.ts';
import { type Config, configSchema, environmentName, SETTINGS } from '../src/config/schema.ts';
import { temporaryFile } from './support/folders.ts';

type Env = Readonly<Record<string, string>>;

function loaded(env: Env, overrides = {}): Config {
  const outcome = loadConfig({ env, overrides });
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.faults));
  return outcome.config;
}

function faults(env: Env, overrides = {}): Readonly<Record<string, string>> {
  const outcome = loadConfig({ env, overrides });
  return outcome.ok ? {} : Object.fromEntries(outcome.faults.map(({ path, reason }) => [path, reason]));
}

test('the demonstration starts with no configuration at all', (t) => {
  const config = loaded({});
  t.is(config.profile, 'demo');
  t.is(config.issuer, 'http://localhost:3000');
  t.is(config.registers.population, 'sample');
  t.is(loaded({ TONGBAN_PORT: '4000' }).issuer, 'http://localhost:4000');
});

test('R17 connections and headers are limited by default', (t) => {
  const { http } = loaded({});
  t.like(http, { headersTimeoutMs: 10_000, requestTimeoutMs: 15_000, connectionsMax: 2000, headerBytesMax: 16_384 });
});

test('default.json has a default for every setting and nothing else', (t) => {
  t.true(configSchema.safeParse(shippedSettings('default')).success);
});

test('every setting has a sentence and an environment name of its own', (t) => {
  const names = SETTINGS.flatMap(({ path }) => [environmentName(path), `${environmentName(path)}_FILE`]);
  t.is(new Set(names).size, names.length);
  for (const { path, description } of SETTINGS) t.regex(description, /^[A-Z].*[.)]$/, path.join('.'));
});

test('what stands nearer to the operator wins: override, environment, file, profile, default', (t) => {
  const path = temporaryFile(
    t,
    JSON.stringify({ profile: 'test', port: 1001, host: '10.0.0.1', log: { level: 'warn' } }),
  );
  const config = loaded({ TONGBAN_CONFIG: path, TONGBAN_PORT: '1002', TONGBAN_HOST: '10.0.0.2' }, { host: '10.0.0.3' });
  t.like(config, { profile: 'test', port: 1002, host: '10.0.0.3' });
  t.deepEqual(config.log, { level: 'warn', destination: 'none' });
});

test('environment values become numbers, truth values and lists', (t) => {
  const config = loaded({
    TONGBAN_SESSION_IDLE_SECONDS: '900',
    TONGBAN_DEMO_PORTALS: 'false',
    TONGBAN_DEMO_PORTS: '4001, 4002',
    TONGBAN_OUTBOUND_ALLOWED_ORIGINS: 'https://a.example,http://10.0.0.1:8080',
    TONGBAN_DATABASE_URL: 'postgres://tongban@db.example/tongban',
    TONGBAN_REDIS_URL: 'rediss://cache.example:6380',
  });
  t.is(config.session.idleSeconds, 900);
  t.deepEqual(config.demo, { portals: false, ports: [4001, 4002] });
  t.deepEqual(config.outbound.allowedOrigins, ['https://a.example', 'http://10.0.0.1:8080']);
});

test('H2 a secret is read from a file, without the newline at its end', (t) => {
  const key = `${'k'.repeat(20)}A1b2C3d4E5f6G7h8I9j0K1l2`;
  t.is(loaded({ TONGBAN_ENCRYPTION_KEY_FILE: temporaryFile(t, `${key}\n`) }).secrets.encryptionKey, key);
  t.regex(faults({ TONGBAN_ENCRYPTION_KEY_FILE: '/nowhere/key' }).TONGBAN_ENCRYPTION_KEY_FILE ?? '', /ENOENT/);
  t.regex(faults({ TONGBAN_PEPPER_FILE: '/x', TONGBAN_PEPPER: key }).TONGBAN_PEPPER ?? '', /keep one/);
});

test('an operator reads all mistakes at once, each with its place', (t) => {
  const path = temporaryFile(t, JSON.stringify({ http: { bodyBytesMaximum: 1 }, sesion: {} }));
  const found = faults({
    TONGBAN_CONFIG: path,
    TONGBAN_PROFILE: 'production',
    TONGBAN_PROT: '80',
    TONGBAN_PORT: '80.5',
    TONGBAN_DEMO_PORTALS: 'yes',
    TONGBAN_SESSION_IDLE_SECONDS: '50000',
    TONGBAN_TTL_GRANT_SECONDS: '1209600',
    TONGBAN_DATABASE_URL: 'mysql://db.example',
    TONGBAN_REDIS_URL: 'redis://one.example,rediss://other.example',
    TONGBAN_COOKIE_KEYS: 'short',
  });
  t.deepEqual(Object.keys(found).sort(), [
    'TONGBAN_PROT',
    'database.url',
    'demo.portals',
    'http.bodyBytesMaximum',
    'issuer',
    'port',
    'redis.url',
    'secrets.cookieKeys.0',
    'sesion',
    'session.idleSeconds',
    'ttl.grantSeconds',
  ]);
});

test('H2 a fault never quotes what was configured', (t) => {
  const secret = 'not base64url: hunter2';
  const path = temporaryFile(t, `{ "secrets": { "pepper": "${secret}" `);
  const found = JSON.stringify([
    faults({
      TONGBAN_ENCRYPTION_KEY: secret,
      TONGBAN_DATABASE_URL: secret,
      TONGBAN_COOKIE_KEYS: secret,
      TONGBAN_PORT: secret,
    }),
    faults({ TONGBAN_CONFIG: path }),
  ]);
  t.false(found.includes('hunter2'));
  t.regex(found, /not a JSON object/);
});

test('an issuer is an origin and nothing more', (t) => {
  for (const issuer of ['https://id.example', 'http://localhost:3000'])
    t.deepEqual(faults({ TONGBAN_ISSUER: issuer }), {});
  const wrong = [
    'https://id.example/',
    'https://id.example/a',
    'https://u:p@id.example',
    'ftp://id.example',
    'https://ID.example',
    'id',
  ];
  for (const issuer of wrong) t.truthy(faults({ TONGBAN_ISSUER: issuer }).issuer, issuer);
  t.truthy(faults({ TONGBAN_PORT: '0' }).issuer, 'a port nobody knows yet cannot be in the issuer');
});

test('S2 a retention below twelve months must be accepted, below six it is refused', (t) => {
  t.deepEqual(Object.keys(faults({ TONGBAN_LEDGER_RETENTION_DAYS: '300' })), ['ledger.retentionDays']);
  t.deepEqual(faults({ TONGBAN_LEDGER_RETENTION_DAYS: '300', TONGBAN_LEDGER_SHORT_RETENTION_ACCEPTED: 'true' }), {});
  const short = { TONGBAN_LEDGER_RETENTION_DAYS: '180', TONGBAN_LEDGER_SHORT_RETENTION_ACCEPTED: 'true' };
  t.deepEqual(Object.keys(faults(short)), ['ledger.retentionDays']);
});

test('the configuration cannot be changed while the server runs', (t) => {
  const config = loaded({});
  t.throws(() => Object.assign(config.http, { connectionsMax: 1 }), { instanceOf: TypeError });
  t.throws(() => (config.demo.ports as number[]).push(1), { instanceOf: TypeError });
});

test('a hostile file cannot reach the prototype of objects', (t) => {
  const path = temporaryFile(t, '{"__proto__": {"polluted": true}, "http": {"__proto__": {"polluted": true}}}');
  loadConfig({ env: { TONGBAN_CONFIG: path } });
  t.is(({} as { polluted?: boolean }).polluted, undefined);
});

test('H2 showing the configuration shows no secret', (t) => {
  const config = loaded({ TONGBAN_PROFILE: 'test', TONGBAN_DATABASE_URL: 'postgres://u:hunter2@db.example/x' });
  const text = showConfig(config);
  for (const secret of [...Object.values(config.secrets).flat(), 'hunter2']) t.false(text.includes(secret));
  t.regex(text, /"encryptionKey": "\(configured\)"/);
});

test('docs/configuration.md says what the schema says', (t) => {
  t.true(readReference() === renderReference(), `docs/configuration.md is out of date; run: ${REGENERATE_COMMAND}`);
});
