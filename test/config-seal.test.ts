import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { configRefusal, sealConfigFile } from '../src/config-doors.ts';
import { temporaryFolder } from './support/folders.ts';

const SECRETS = { secrets: { encryptionKey: 'k'.repeat(43) } } as Parameters<typeof configRefusal>[0];
const OTHERS = { secrets: { encryptionKey: 'o'.repeat(43) } } as Parameters<typeof configRefusal>[0];

function place(t: ExecutionContext) {
  const file = join(temporaryFolder(t), 'tongban.json');
  writeFileSync(file, '{ "profile": "test", "support": { "hotline": "12345" } }');
  return { file, seal: `${file}.seal`, env: { TONGBAN_CONFIG: file } };
}

test('H10 a configuration that was changed after it was sealed is refused by name, whatever is demanded', (t) => {
  const { file, env } = place(t);
  t.is(configRefusal(SECRETS, env), undefined, 'no seal, none demanded');
  t.regex(configRefusal(SECRETS, { ...env, TONGBAN_CONFIG_SEAL: 'required' }) ?? '', /has no seal/);
  t.is(sealConfigFile(SECRETS, env), `${file}.seal`);
  t.is(configRefusal(SECRETS, { ...env, TONGBAN_CONFIG_SEAL: 'required' }), undefined);
  writeFileSync(file, readFileSync(file, 'utf8').replace('12345', '12346'));
  const refusal = configRefusal(SECRETS, env) ?? '';
  t.true(refusal.startsWith(`${file} is not as it was sealed`), refusal);
  t.notRegex(refusal, /1234/);
  sealConfigFile(SECRETS, env);
  t.is(configRefusal(SECRETS, env), undefined, 'whoever has looked at it seals it again');
});

test('H10 a seal of another house, a cut one and an empty one are none', (t) => {
  const { seal, env } = place(t);
  sealConfigFile(OTHERS, env);
  t.truthy(configRefusal(SECRETS, env));
  sealConfigFile(SECRETS, env);
  const whole = readFileSync(seal, 'utf8');
  for (const text of ['', whole.slice(0, -2), whole.toUpperCase(), `${whole}\n`]) {
    writeFileSync(seal, text);
    t.truthy(configRefusal(SECRETS, env), JSON.stringify(text));
  }
});

test('H10 where no file is named nothing is sealed, and what demands a seal says so', (t) => {
  t.is(sealConfigFile(SECRETS, {}), undefined);
  t.is(configRefusal(SECRETS, {}), undefined);
  t.regex(configRefusal(SECRETS, { TONGBAN_CONFIG_SEAL: 'required' }) ?? '', /names no file/);
});

test('H10 server and commands refuse an altered file before they open anything', (t) => {
  const { file, env } = place(t);
  const dataDir = temporaryFolder(t);
  const tongban = (...words: readonly string[]) => {
    const { PATH = '' } = process.env;
    const settings = { PATH, ...env, TONGBAN_DATA_DIR: dataDir, TONGBAN_CONFIG_SEAL: 'required' };
    return spawnSync(process.execPath, ['src/main.js', ...words], { env: settings, encoding: 'utf8' });
  };
  t.is(tongban('config', 'seal').status, 0);
  t.is(tongban('config', 'check').status, 0);
  writeFileSync(file, readFileSync(file, 'utf8').replace('12345', '12346'));
  for (const words of [['config', 'check'], ['keys', 'list'], ['serve']]) {
    const { status, stderr } = tongban(...words);
    t.is(status, 2, `${words.join(' ')}: ${stderr}`);
    t.true(stderr.includes(file), stderr);
  }
});
