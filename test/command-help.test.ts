import { existsSync } from 'node:fs';
import test from 'ava';
import { freshFolder, tongban } from './support/product.ts';

const DEMO = { TONGBAN_PROFILE: 'demo' } as const;

test('every command says how its words go to whoever asks, opens no store for it and leaves nothing behind', async (t) => {
  const dataDir = await freshFolder(t);
  const env = { ...DEMO, TONGBAN_DATA_DIR: dataDir };
  const overview = await tongban(['--help'], env);
  t.is(overview.code, 0);
  const names = [...overview.stdout.matchAll(/^ {2}tongban (\S+)/gm)].map((found) => found[1]!);
  t.true(names.length > 15, overview.stdout);
  await Promise.all(
    names.map(async (name, place) => {
      // The two ways to ask, in turn.
      const words = place % 2 === 0 ? [name, '--help'] : ['help', name];
      const { code, stdout, stderr } = await tongban(words, env);
      t.deepEqual({ code, stderr }, { code: 0, stderr: '' }, words.join(' '));
      t.regex(stdout, new RegExp(`tongban ${name}\\b`), words.join(' '));
    }),
  );
  t.false(existsSync(dataDir));
});

test('help is given behind the words of an action as well, and means no action', async (t) => {
  const env = { ...DEMO, TONGBAN_DATA_DIR: await freshFolder(t) };
  const behind = await tongban(['person', 'add', '--id-number', '339900199001011014', '--help'], env);
  t.is(behind.code, 0);
  t.regex(behind.stdout, /^tongban person add/);
  t.is((await tongban(['help', '--help'], env)).code, 0);
  const value = await tongban(['person', 'show', '--', '--help'], env);
  t.is(value.code, 2, 'behind -- it is an operand');
});

test('a command or action that does not exist is named, a number that stands alone is not repeated', async (t) => {
  const env = { ...DEMO, TONGBAN_DATA_DIR: await freshFolder(t) };
  for (const words of [['nonsense'], ['help', 'nonsense'], ['constructor']]) {
    const { code, stderr, stdout } = await tongban(words, env);
    t.is(code, 2, words.join(' '));
    t.is(stdout, '');
    t.true(stderr.startsWith(`There is no command "${words.at(-1)}".`), stderr);
    t.regex(stderr, /tongban serve/);
  }
  const action = await tongban(['person', 'frob'], env);
  t.deepEqual(
    [action.code, action.stderr],
    [2, 'There is no "tongban person frob".\nHow it goes: tongban person --help\n'],
  );
  const number = await tongban(['person', 'show', '339900199001011014'], env);
  t.is(number.code, 2);
  t.regex(number.stderr, /--id-number/);
  t.notRegex(number.stderr, /3399/);
});
