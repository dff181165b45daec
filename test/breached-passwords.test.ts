import { createHash } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import { createBreachedPasswords } from '../src/factors/breached-passwords.ts';
import { judgePassword } from '../src/factors/password-policy.ts';
import { temporaryFolder } from './support/folders.ts';
import { until } from './support/waiting.ts';

const LENGTHS = { minLength: 8, maxLength: 256 };
const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex').toUpperCase();

const listOf = (t: ExecutionContext, name: string, content: string | Buffer): string => {
  const file = join(temporaryFolder(t), name);
  writeFileSync(file, content);
  return file;
};

const reading = (file: string, faults: unknown[] = []) =>
  createBreachedPasswords({ file, onFault: (error) => faults.push(error) });

test('D3 the list that is shipped knows what leaks most, in any case, and no passphrase', async (t) => {
  const breached = reading('');
  for (const password of ['football', 'iloveyou', 'Trustno1', 'PASSWORD1', '123456789', 'qwertyuiop'])
    t.true(await breached.has(password), password);
  for (const password of ['correct horse battery', 'seven blue kites over the lake', '七只蓝色风筝飞过湖面'])
    t.false(await breached.has(password), password);
});

test('D3 a file of one’s own counts beside it: passwords, digests with counts, plain or packed', async (t) => {
  const lines = [
    'leaked in the province 1',
    `${sha1('leaked in the province 2')}:17`,
    sha1('leaked in the province 3'),
    '',
  ];
  for (const [name, content] of [
    ['list.txt', lines.join('\r\n')],
    ['list.gz', gzipSync(lines.join('\n'))],
  ] as const) {
    const breached = reading(listOf(t, name, content));
    for (const n of [1, 2, 3]) t.true(await breached.has(`leaked in the province ${n}`), `${name} ${n}`);
    t.false(await breached.has('leaked in the province 4'));
    t.true(await breached.has('football'));
  }
});

test('D3 hundreds of thousands of entries are read while others are served', async (t) => {
  const many = Array.from({ length: 300_000 }, (_, n) => `${sha1(`entry ${n}`)}:${n}`).join('\n');
  const breached = reading(listOf(t, 'many.txt', many));
  let turns = 0;
  const timer = setInterval(() => {
    turns += 1;
  }, 1);
  const found = await breached.has('entry 299999');
  clearInterval(timer);
  t.true(found);
  t.true(turns > 3, `the event loop turned ${turns} times meanwhile`);
  t.false(await breached.has('entry 300000'));
});

test('a file that is not there stops the start', (t) => {
  t.throws(() => reading('/nowhere/passwords.gz'), { message: /breachedFile/ });
});

test('D3 a password known from a breach is refused like a common one', (t) => {
  const verdict = judgePassword('seven blue kites', LENGTHS, { breached: true });
  t.deepEqual(verdict, { ok: false, reason: 'common' });
  t.true(judgePassword('seven blue kites', LENGTHS, { breached: false }).ok);
});

test('D2 kinds of characters are demanded where the policy says so, and nowhere else', (t) => {
  const strict = { ...LENGTHS, minLength: 12, kindsMin: 3 };
  for (const [password, reason] of [
    ['seven blue kites', 'kinds'],
    ['sevenbluekites7', 'kinds'],
    ['Seven blue kites', undefined],
    ['seven blue kites 7', undefined],
    ['七只蓝色风筝 Kites 七只', undefined],
  ] as const) {
    const verdict = judgePassword(password, strict, {});
    t.is(verdict.ok ? undefined : verdict.reason, reason, password);
    t.true(judgePassword(password, LENGTHS, {}).ok, password);
  }
});

test('D3 a list that was replaced is read again, and one that cannot be read leaves the last in force', async (t) => {
  const file = listOf(t, 'list.txt', 'the first list of leaks');
  const faults: unknown[] = [];
  const breached = createBreachedPasswords({ file, onFault: (error) => faults.push(error), lookedAtMs: 0 });
  t.true(await breached.has('the first list of leaks'));
  writeFileSync(file, 'the second list of leaks');
  t.true(await until(() => breached.has('the second list of leaks')));
  t.false(await breached.has('the first list of leaks'));
  rmSync(file);
  t.true(await until(async () => (await breached.has('the second list of leaks')) && faults.length > 0));
  t.true(await breached.has('the second list of leaks'));
});
