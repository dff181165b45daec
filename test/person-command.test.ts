import test, { type ExecutionContext } from 'ava';
import { run } from '../src/commands/person.ts';
import type { ExitCode, PersonCommandContext } from '../src/commands/person-words.ts';
import { loadPartnerScales } from '../src/proofing/partner-scales.ts';
import { sqliteDatabase } from './support/databases.ts';
import { ledgerEntries } from './support/ledger.ts';
import { testIdentifiers, testPasswords, testPersons } from './support/people.ts';

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
      identifiers: testIdentifiers(database, persons),
      passwords,
      passwordLengths: { minLength: 8, maxLength: 256 },
      partnerScales: loadPartnerScales(''),
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
  t.regex(shown.partnerLevels, /^guangdong 二级, .*, zhejiang 1, anhui 初级$/);
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
    [['constructor'], '', 2, /^There is no "tongban person constructor"\.\n.*tongban person --help\n$/],
    [['show', NUMBER], '', 2, /^A word stands without its option: --id, [^3]*\n$/],
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

const NET = 'Ab3dEf6hIj9kLm2nOp5q';

test('a person with a passport, or with a network number and no name at all, has an account like others', async (t) => {
  const { command, passwords } = await commandLine(t);
  const passport = ['--document', 'foreign_passport:can:ab 1234567'];
  const added = await command(['add', ...passport, '--name', 'Jean Martin', '--ial', '2', '--json']);
  t.is(added.exitCode, 0, added.stderr);
  t.like(JSON.parse(added.stdout), {
    nameMasked: '**** *****n',
    idNumberMasked: 'AB1***567',
    documentType: 'foreign_passport',
  });
  t.is((await command(['add', ...passport, '--name', 'Jean Martin'])).exitCode, 1, 'one document, one account');

  const nameless = await command(['add', '--net-number', NET, '--password-stdin', '--json'], 'correct horse battery');
  t.is(nameless.exitCode, 0, nameless.stderr);
  const shown = JSON.parse(nameless.stdout);
  t.deepEqual(Object.keys(shown), ['id', 'status', 'ial', 'partnerLevels', 'idNumberMasked', 'documentType']);
  t.is(await passwords.verify(shown.id, 'correct horse battery'), 'match');
  for (const action of ['show', 'disable', 'enable'])
    t.is((await command([action, '--net-number', NET])).exitCode, 0, action);
  t.is((await command(['show', '--document', `net_number:CN:${NET}`])).exitCode, 0);
  t.is((await command(['add', ...passport])).exitCode, 2, 'only a network number comes without a name');
});

test('documents are added, listed masked, and removed down to the last', async (t) => {
  const { command } = await commandLine(t);
  await command([...ADD, '--ial', '2']);
  const person = ['--id-number', NUMBER];
  const permit = [
    '--document',
    'hm_travel_permit:CN:M1234567802',
    '--level',
    '2',
    '--source',
    'counter',
    '--valid-to',
    '2031-05-31',
  ];
  const added = await command(['document', 'add', ...person, ...permit, '--json']);
  t.is(added.exitCode, 0, added.stderr);
  const { id, ...rest } = JSON.parse(added.stdout);
  t.deepEqual(rest, {
    type: 'hm_travel_permit',
    issuer: 'CN',
    numberMasked: 'M12***678',
    primary: false,
    level: 2,
    source: 'counter',
    validTo: '2031-05-31',
  });
  const listed = JSON.parse(
    (await command(['document', 'list', '--document', 'hm_travel_permit:CN:M12345678', '--json'])).stdout,
  );
  t.deepEqual(
    listed.map(({ type, primary }: Record<string, unknown>) => [type, primary]),
    [
      ['resident_id_card', true],
      ['hm_travel_permit', false],
    ],
  );
  t.regex((await command(['document', 'list', ...person])).stdout, /numberMasked +3\*+4\n/);
  t.is((await command(['document', 'remove', ...person, '--document-id', id])).exitCode, 0);
  t.regex((await command(['document', 'remove', ...person, '--document-id', id])).stderr, /no such document/);
  t.regex((await command(['document', 'remove', ...person, '--document-id', listed[0].id])).stderr, /only document/);
});

test('what a person signs in by is bound on the word of the operator, listed masked, and released', async (t) => {
  const { command, database } = await commandLine(t);
  await command(ADD);
  const person = ['--id-number', NUMBER];
  const phone = ['--type', 'phone', '--value', '138 0000 0000'];
  const bound = await command(['identifier', 'bind', ...person, ...phone, '--verified-by', 'counter', '--json']);
  t.is(bound.exitCode, 0, bound.stderr);
  t.deepEqual(JSON.parse(bound.stdout), [{ type: 'phone', valueMasked: '138****0000', verifiedBy: 'counter' }]);
  t.is(
    (
      await command([
        'identifier',
        'bind',
        ...person,
        '--type',
        'user_name',
        '--value',
        'Xiao.Ming',
        '--verified-by',
        'chosen',
      ])
    ).exitCode,
    0,
  );
  t.regex((await command(['identifier', 'list', ...person])).stdout, /x\*+g/);
  t.is((await command(['identifier', 'release', ...person, '--type', 'phone'])).exitCode, 0);
  t.is((await command(['identifier', 'release', ...person, '--type', 'phone'])).exitCode, 1);
  t.deepEqual(
    (await ledgerEntries(database)).slice(1).map(({ type, data }) => [type, data]),
    [
      ['identifier.bound', { origin: 'command', identifier: 'phone', verifiedBy: 'counter' }],
      ['identifier.bound', { origin: 'command', identifier: 'user_name', verifiedBy: 'chosen' }],
      ['identifier.released', { origin: 'command', identifier: 'phone', cause: 'released' }],
    ],
  );
});

test('F6 a document or identifier that is refused is told by its reason, never by what was typed', async (t) => {
  const { command } = await commandLine(t);
  await command(ADD);
  const person = ['--id-number', NUMBER];
  const cases: readonly (readonly [readonly string[], ExitCode, RegExp])[] = [
    [['document', 'add', ...person, '--document', 'library_card:CN:H12345678'], 2, /unknown_type/],
    [['document', 'add', ...person, '--document', 'hm_travel_permit:CN:K12345678'], 2, /characters/],
    [['document', 'add', ...person, '--document', 'foreign_passport:CN:K12345678'], 2, /issuer/],
    [['document', 'add', ...person, '--document', `resident_id_card:CN:${NUMBER}`], 1, /Somebody holds/],
    [['document', 'add', ...person, '--document', 'hm_travel_permit:CN:H12345678', '--level', '3'], 2, /--source/],
    [
      ['document', 'add', ...person, '--document', 'hm_travel_permit:CN:H12345678', '--valid-to', '2031-02-30'],
      2,
      /days such as/,
    ],
    [['document', 'add', ...person], 2, /--document or --net-number is missing/],
    [['document', 'remove', ...person], 2, /--document-id is missing/],
    [['document', 'list', '--id', 'psn_none'], 1, /no such person/],
    [['document'], 2, /tongban person document/],
    [['document', 'shred', ...person], 2, /tongban person document/],
    [
      ['identifier', 'bind', ...person, '--type', 'phone', '--value', '110', '--verified-by', 'counter'],
      2,
      /malformed/,
    ],
    [
      ['identifier', 'bind', ...person, '--type', 'user_name', '--value', 'H12345678', '--verified-by', 'chosen'],
      2,
      /looks_like_number/,
    ],
    [['identifier', 'bind', ...person, '--type', 'phone', '--value', '13800000000'], 2, /--verified-by/],
    [
      ['identifier', 'bind', ...person, '--type', 'phone', '--value', '13800000000', '--verified-by', 'ID 3399'],
      2,
      /--verified-by/,
    ],
    [
      ['identifier', 'bind', ...person, '--type', 'fax', '--value', '13800000000', '--verified-by', 'counter'],
      2,
      /--type/,
    ],
    [['show', ...person, '--net-number', NET], 2, /give one/],
    [['add', '--id-number', '110105491231002', '--name', '王'], 2, /18 characters/],
    [['add', '--document', 'resident_id_card:CN:110105491231002', '--name', '王'], 2, /18 characters/],
  ];
  for (const [args, exitCode, sentence] of cases) {
    const answer = await command(args);
    t.is(answer.exitCode, exitCode, args.join(' '));
    t.regex(answer.stderr, sentence, args.join(' '));
    t.is(answer.stdout, '');
    if (exitCode === 1) for (const typed of ['12345678', NUMBER, '13800000000']) t.false(answer.stderr.includes(typed));
  }
});
