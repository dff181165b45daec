import test, { type ExecutionContext } from 'ava';
import { type ExitCode, type PersonCommandContext, run } from '../src/commands/person.ts';
import { sqliteDatabase } from './support/databases.ts';
import { ledgerEntries } from './support/ledger.ts';
import { testPasswords, testPersons } from './support/people.ts';

const NUMBER = '339900199001011014';
const ADD = ['add', '--id-number', NUMBER, '--name', '王小明'];

async function commandLine(t: ExecutionContext) {
  const database = await sqliteDatabase(t);
  const persons = testPersons(database);
  const passwords = testPasswords(database);
  const command = async (args: readonly string[], input: string | Uint8Array = '') => {
    const output = { stdout: '', stderr: '' };
    const context: PersonCommandContext = {
      persons,
      passwords,
      passwordLengths: { minLength: 8, maxLength: 256 },
      contextWords: ['tongban'],
      stdin: (async function* () {
        yield input;
      })(),
      stdout: { write: (text) => (output.stdout += text) },
      stderr: { write: (text) => (output.stderr += text) },
    };
    const exitCode = await run(args, context);
    return { exitCode, ...output };
  };
  return { database, persons, passwords, command };
}

test('an account with a password is added, shown masked, switched off and on', async (t) => {
  const { command, passwords } = await commandLine(t);
  const added = await command(
    [...ADD, '--phone', '13800000000', '--password-stdin', '--json'],
    'correct horse battery\n',
  );
  t.is(added.exitCode, 0, added.stderr);
  const shown = JSON.parse(added.stdout);
  t.like(shown, { status: 'active', ial: 1, nameMasked: '*小明', idNumberMasked: '3****************4' });
  t.is(await passwords.verify(shown.id, 'correct horse battery'), 'match');

  const off = await command(['disable', '--id-number', ' 33990019900101101４']);
  t.is(off.exitCode, 0);
  t.regex(off.stdout, /status +disabled/);
  t.like(JSON.parse((await command(['show', '--id', shown.id, '--json'])).stdout), {
    id: shown.id,
    status: 'disabled',
  });
  t.is((await command(['enable', '--id', shown.id])).exitCode, 0);
});

test('F6 neither the number nor the name nor the password is ever printed', async (t) => {
  const { command } = await commandLine(t);
  const answers = [
    await command([...ADD, '--password-stdin'], 'correct horse battery'),
    await command([...ADD, '--password-stdin'], 'correct horse battery'),
    await command([...ADD, '--password-stdin'], 'short'),
    await command(['show', '--id-number', NUMBER]),
    await command(['show', NUMBER]),
    await command(['show', '--id-number', '339900199001011015']),
  ];
  for (const { stdout, stderr } of answers) {
    for (const secret of [NUMBER, '339900199001011015', '王小明', 'correct horse', 'short\n']) {
      t.false((stdout + stderr).includes(secret));
    }
  }
});

test('what is refused is said in one sentence, and nothing is changed', async (t) => {
  const { command, database } = await commandLine(t);
  const cases: readonly (readonly [readonly string[], string | Uint8Array, ExitCode, RegExp])[] = [
    [[...ADD, '--password-stdin'], 'kiwi\n', 1, /^The password is too short\.\n$/],
    [[...ADD, '--password-stdin'], '\n', 1, /too short/],
    [[...ADD, '--password-stdin'], 'password123', 1, /attackers try first/],
    [[...ADD, '--password-stdin'], 'hat-19900101-hat', 1, /ID number, birth date/],
    [[...ADD, '--password-stdin'], 'x!tongban7', 1, /name of this service/],
    [[...ADD, '--password-stdin'], 'x'.repeat(5000), 1, /too long/],
    [[...ADD, '--password-stdin'], Buffer.from([0xff, 0xfe, ...Buffer.from('a latin-1 text')]), 1, /UTF-8/],
    [['add', '--id-number', '339900199001011015', '--name', '王'], '', 2, /check_character/],
    [['add', '--name', '王'], '', 2, /--id-number is missing/],
    [['add', '--id-number', NUMBER], '', 2, /--name/],
    [[...ADD, '--phone', '110'], '', 2, /--phone/],
    [[...ADD, '--ial', '9'], '', 2, /--ial/],
    [['show'], '', 2, /--id or by --id-number/],
    [['show', '--id', 'a', '--id-number', NUMBER], '', 2, /--id or by --id-number/],
    [['show', '--id', 'psn_none'], '', 1, /^There is no such person\.\n$/],
    [['disable', '--id', 'psn_none'], '', 1, /no such person/],
    [['disable', '--id', 'psn_none', '--reason', ' '], '', 2, /--reason says .* why/],
    [['enable', '--id-number', NUMBER], '', 1, /no such person/],
    [['add', '--sudo'], '', 2, /--sudo/],
    [['constructor'], '', 2, /tongban person add/],
    [[], '', 2, /tongban person add/],
  ];
  for (const [args, input, exitCode, sentence] of cases) {
    const answer = await command(args, input);
    t.is(answer.exitCode, exitCode, args.join(' '));
    t.regex(answer.stderr, sentence);
    t.is(answer.stdout, '');
  }
  t.is((await database.all('SELECT 1 FROM persons', [])).length, 0);
  t.is((await ledgerEntries(database)).length, 0);
});
