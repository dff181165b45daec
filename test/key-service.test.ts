import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { openKeyStore } from '../examples/svs/keys.ts';
import type { Mood } from '../examples/svs/server.ts';
import { openHouse } from '../src/app.ts';
import { runWrap } from '../src/commands/keys-wrap.ts';
import { prepareConfig } from '../src/config/prepare.ts';
import type { Config, ConfigOverrides } from '../src/config/schema.ts';
import { secretsPath } from '../src/config/secrets.ts';
import { configRefusal, sealConfigFile } from '../src/config-doors.ts';
import { fetchMasterKeys, openKeyService, wrappedKeyText } from '../src/master-doors.ts';
import { Fault } from '../src/shared/fault.ts';
import { temporaryFolder } from './support/folders.ts';
import { addPerson, idNumberOf } from './support/people.ts';
import { sharedKeyServer, tlsServer } from './support/signature-server.ts';

const LI = { idNumber: idNumberOf('33990019850701009X'), name: '李思远', ial: 2, origin: 'test' } as const;

type Settings = Awaited<ReturnType<typeof sharedKeyServer>>['settings'];

/** The section of a house that lets this service open its master key. */
const sectionOf = (
  { url, authentication, certificateFile, keyFile, authorityFile, appId, sharedKeyFile }: Settings,
  more: Partial<Config['keyService']> = {},
): ConfigOverrides['keyService'] => ({
  url,
  authentication,
  certificateFile,
  keyFile,
  authorityFile,
  appId,
  sharedKeyFile,
  keyId: 'master',
  timeoutMs: 20_000,
  ...more,
});

function configWith(t: ExecutionContext, overrides: ConfigOverrides, dataDir = temporaryFolder(t)): Config {
  const env = { TONGBAN_PROFILE: 'demo' };
  const prepared = prepareConfig({ env, overrides: { dataDir, issuer: 'http://localhost:4870', ...overrides } });
  if (!prepared.ok) throw new Error(prepared.sentences.join('\n'));
  return prepared.config;
}

/** A wrapped key in a file, as the command makes it. */
async function wrapped(t: ExecutionContext, config: Config): Promise<string> {
  const file = join(temporaryFolder(t), 'master.json');
  const said = { out: '', err: '' };
  const code = await runWrap([file], {
    config,
    stdout: { write: (text: string) => (said.out += text) },
    stderr: { write: (text: string) => (said.err += text) },
  });
  t.is(code, 0, said.err);
  t.regex(said.out, /the master key [0-9a-f]{8}, wrapped with master/);
  return file;
}

for (const [way, start] of [
  ['a shared key', sharedKeyServer],
  ['mutual TLS', tlsServer],
] as const) {
  test(`H2 a house opens with a master key that a key service behind ${way} keeps, and needs it again at the next start`, async (t) => {
    const { running, settings } = await start(t);
    const file = await wrapped(t, configWith(t, { keyService: sectionOf(settings) }));
    t.is(statSync(file).mode & 0o777, 0o600);
    const config = configWith(t, { keyService: sectionOf(settings, { keyFiles: [file], attemptsMax: 2 }) });
    t.is(config.secrets.encryptionKey, '', 'none is generated beside it');
    const first = await openHouse(config);
    const id = await addPerson(first.persons, LI);
    t.like((await first.masterRotation.list())[0], { state: 'current', id: JSON.parse(readFileSync(file, 'utf8')).id });

    running.mood = 'down';
    first.persons.forget(id);
    t.is((await first.persons.profile(id))?.name, LI.name, 'a house that is open goes on');
    await first.keyRotation.stage('cookies');
    await first.close();
    const refused = await t.throwsAsync(openHouse(config), { instanceOf: Fault });
    t.regex(refused.message, /^The key service could not be used: status/);

    running.mood = 'well';
    const second = await openHouse(config);
    t.teardown(() => second.close());
    t.is((await second.persons.profile(id))?.name, LI.name);
    const [key] = await fetchMasterKeys(config);
    const secret = Buffer.from(key!);
    for (const { body } of running.asked) t.false(body.includes(secret.toString('hex')));
    t.false(readFileSync(file, 'utf8').includes(secret.toString('hex')));
    t.false(
      existsSync(secretsPath(config.dataDir)) &&
        readFileSync(secretsPath(config.dataDir), 'utf8').includes('"encryptionKey": ""'),
    );
  });
}

const WRONG: readonly (readonly [mood: Mood, reason: RegExp])[] = [
  ['silent', /timed_out/],
  ['slow', /timed_out/],
  ['down', /status/],
  ['garbled', /form|signature/],
  ['mixed-up', /other_request/],
  ['unproven', /signature/],
  ['skewed', /clock/],
  ['other-key', /signature/],
  ['malformed', /signature/],
  ['repeating', /signature/],
];

for (const [mood, reason] of WRONG) {
  test(`H2 a start is refused in good time while the key service is ${mood}, and says why`, async (t) => {
    const { running, settings } = await sharedKeyServer(t);
    const file = await wrapped(t, configWith(t, { keyService: sectionOf(settings) }));
    // Half of what a slow service takes; long enough that each attempt arrives there on a busy machine.
    const hasty = mood === 'silent' || mood === 'slow' ? { timeoutMs: 1000 } : {};
    const section = sectionOf(settings, { keyFiles: [file], attemptsMax: 2, ...hasty });
    const config = configWith(t, { keyService: section });
    if (mood === 'repeating') await fetchMasterKeys(config);
    const before = running.asked.length;
    running.mood = mood;
    const refused = await t.throwsAsync(openHouse(config), { instanceOf: Fault });
    t.regex(refused.message, /^The key service could not be used/);
    t.regex(refused.message, reason);
    t.is(running.asked.length - before, 2, 'so many attempts, and then it is left alone');
    t.false(existsSync(join(config.dataDir, 'tongban.db')), 'nothing was opened');
  });
}

test('H2 what the key service refuses is asked once, and a file that is none is not sent', async (t) => {
  const { running, settings } = await sharedKeyServer(t);
  const config = configWith(t, { keyService: sectionOf(settings) });
  const file = await wrapped(t, config);
  const key = JSON.parse(readFileSync(file, 'utf8')) as { id: string; keyId: string; wrapped: string };
  const service = openKeyService(config);
  const altered = `${key.wrapped.slice(0, -2)}${key.wrapped.endsWith('00') ? '01' : '00'}`;
  await t.throwsAsync(service.unwrap({ ...key, wrapped: altered }), { message: /not_wrapped_here/ });
  await t.throwsAsync(service.unwrap({ ...key, keyId: 'other' }), { message: /unknown_key/ });
  await t.throwsAsync(
    service.unwrap({ ...key, id: '00000000' }),
    { message: /signature/ },
    'another key than the file says',
  );
  const asked = running.asked.length;
  for (const text of [
    '',
    '{}',
    wrappedKeyText(key).replace('"format": 1', '"format": 2'),
    wrappedKeyText({ ...key, id: 'x' }),
  ]) {
    const bad = join(temporaryFolder(t), 'bad.json');
    writeFileSync(bad, text, { mode: 0o600 });
    const broken = configWith(t, { keyService: sectionOf(settings, { keyFiles: [bad] }) });
    await t.throwsAsync(openHouse(broken), { message: /holds no wrapped master key/ }, text);
  }
  const open = join(temporaryFolder(t), 'open.json');
  writeFileSync(open, readFileSync(file, 'utf8'), { mode: 0o644 });
  await t.throwsAsync(openHouse(configWith(t, { keyService: sectionOf(settings, { keyFiles: [open] }) })), {
    message: /can be read by others/,
  });
  t.is(running.asked.length, asked);
  t.is(openKeyStore(join(temporaryFolder(t), 'elsewhere')).wrapping('master')?.length, 16);
});

test('H2 a store goes over from a configured master key to one of the key service, and on to another', async (t) => {
  const { settings } = await sharedKeyServer(t);
  const dataDir = temporaryFolder(t);
  const plain = configWith(t, {}, dataDir);
  const before = await openHouse(plain);
  const id = await addPerson(before.persons, LI);
  await before.close();
  const old = plain.secrets.encryptionKey;
  const [first, second] = [
    await wrapped(t, configWith(t, { keyService: sectionOf(settings) })),
    await wrapped(t, configWith(t, { keyService: sectionOf(settings) })),
  ];
  const during = configWith(
    t,
    { keyService: sectionOf(settings, { keyFiles: [first] }), secrets: { otherEncryptionKeys: [old] } },
    dataDir,
  );
  const between = await openHouse(during);
  t.is((await between.masterRotation.list())[0]?.state, 'current');
  t.like(await between.masterRotation.rotate(), { ok: true });
  await between.close();
  const both = configWith(t, { keyService: sectionOf(settings, { keyFiles: [second, first] }) }, dataDir);
  const after = await openHouse(both);
  t.like(await after.masterRotation.rotate(), { ok: true });
  await after.close();
  const alone = await openHouse(configWith(t, { keyService: sectionOf(settings, { keyFiles: [second] }) }, dataDir));
  t.teardown(() => alone.close());
  t.is((await alone.persons.profile(id))?.name, LI.name);
});

test('H2 the command lets the service make a key where there is no house yet, and never writes over a file', async (t) => {
  const { settings } = await sharedKeyServer(t);
  const folder = temporaryFolder(t);
  const file = join(folder, 'master.json');
  writeFileSync(join(folder, 'settings.json'), JSON.stringify({ keyService: sectionOf(settings) }));
  const child = spawn(process.execPath, ['src/main.js', 'keys', 'wrap', file], {
    cwd: new URL('..', import.meta.url),
    env: {
      ...process.env,
      TONGBAN_PROFILE: 'production',
      TONGBAN_ISSUER: 'https://id.example',
      TONGBAN_CONFIG: join(folder, 'settings.json'),
    },
    stdio: 'ignore',
  });
  t.is((await once(child, 'exit'))[0], 0);
  const text = readFileSync(file, 'utf8');
  const said: string[] = [];
  const words = { stdout: { write: () => true }, stderr: { write: (sentence: string) => said.push(sentence) } };
  t.is(await runWrap([file], { ...words, config: configWith(t, { keyService: sectionOf(settings) }) }), 1);
  t.is(readFileSync(file, 'utf8'), text);
  t.is(await runWrap([`${file}.2`], { ...words, config: configWith(t, {}) }), 1);
  t.is(await runWrap([], { ...words, config: configWith(t, {}) }), 2);
  t.regex(said.join(''), /EEXIST.*never replaced[\s\S]*There is no key service/);
});

test('H1 without a configured key no seal of the configuration is believed', async (t) => {
  const { settings } = await sharedKeyServer(t);
  const file = await wrapped(t, configWith(t, { keyService: sectionOf(settings) }));
  const config = configWith(t, { keyService: sectionOf(settings, { keyFiles: [file] }) });
  const env = { TONGBAN_CONFIG: join(temporaryFolder(t), 'settings.json') };
  writeFileSync(env.TONGBAN_CONFIG, '{}');
  t.is(configRefusal(config, env), undefined);
  sealConfigFile(config, env);
  t.regex(String(configRefusal(config, env)), /cannot be judged/);
});

test('H1 a key service is configured whole, and in production over https', (t) => {
  const refusals = (profile: string, keyService: ConfigOverrides['keyService'], issuer = ''): string => {
    const prepared = prepareConfig({
      env: { TONGBAN_PROFILE: profile },
      overrides: { dataDir: temporaryFolder(t), issuer, keyService },
    });
    return prepared.ok ? 'ready' : prepared.sentences.join('\n');
  };
  t.regex(refusals('demo', { keyFiles: ['/x'] }), /keyService\.url.*must be set when keyService\.keyFiles/);
  const partly = refusals('demo', { url: 'https://keys.example' });
  for (const name of ['keyId', 'certificateFile', 'keyFile', 'authorityFile'])
    t.regex(partly, new RegExp(`keyService\\.${name}`));
  t.regex(refusals('demo', { url: 'http://k.example', authentication: 'shared-key', keyId: 'm' }), /keyService\.appId/);
  const whole = {
    authentication: 'shared-key',
    keyId: 'm',
    appId: 'a',
    sharedKeyFile: '/x',
    keyFiles: ['/y'],
  } as const;
  const open = refusals('production', { ...whole, url: 'http://keys.example' }, 'https://id.example');
  t.regex(open, /keyService\.url is not https/);
  t.notRegex(open, /encryptionKey is not configured/, 'the service has it');
});
