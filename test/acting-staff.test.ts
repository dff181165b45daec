import { userInfo } from 'node:os';
import test from 'ava';
import { openHouse } from '../src/app.ts';
import { actingIn, actOf, byIn, type Line } from '../src/commands/acting-staff.ts';
import { USAGE as AUDIT_ERASE } from '../src/commands/audit-erase.ts';
import { USAGE as AUDIT_EXPORT } from '../src/commands/audit-export.ts';
import { USAGE as AUDIT_PRUNE } from '../src/commands/audit-prune.ts';
import { USAGE as AUDIT_REPORT } from '../src/commands/audit-report.ts';
import { USAGE as AUDIT_SEARCH } from '../src/commands/audit-search.ts';
import { USAGE as BACKUP } from '../src/commands/backup.ts';
import { USAGE as CLIENT } from '../src/commands/client.ts';
import { USAGE as COMPANY } from '../src/commands/company.ts';
import { USAGE as FACTOR } from '../src/commands/factor.ts';
import { USAGE as FEED } from '../src/commands/feed.ts';
import { USAGE as INCIDENT } from '../src/commands/incident.ts';
import { USAGE as KEYS } from '../src/commands/keys.ts';
import { USAGE as LOGOUT } from '../src/commands/logout.ts';
import { USAGE as MANDATE } from '../src/commands/mandate.ts';
import { LIFE_USAGE } from '../src/commands/person-life.ts';
import { USAGE as PERSON } from '../src/commands/person-words.ts';
import { USAGE as ROWS } from '../src/commands/rows.ts';
import { USAGE as STAFF } from '../src/commands/staff.ts';
import { STAFF_ROLES, type StaffMember, type StaffRole } from '../src/people/staff.ts';
import { mayDo, STAFF_ACTIONS, type StaffAction } from '../src/people/staff-powers.ts';
import { configFor } from './support/audit.ts';
import { freshFolder, tongban } from './support/product.ts';
import { LI, WANG } from './support/server.ts';
import { allTold } from './support/told-events.ts';

const member = (role: StaffRole, more: Partial<StaffMember> = {}): StaffMember => ({
  personId: `psn_${role}`,
  role,
  status: 'active',
  addedAt: 1,
  ...more,
});
const ALL = STAFF_ROLES.map((role) => member(role));
const line = (text: string): Line => {
  const [command = '', ...args] = text.split(' ');
  return { command, args };
};

test('F4 nobody who reads the ledger steers anything, nobody who steers reads it, and each action is somebody’s', (t) => {
  const rolesOf = (action: StaffAction) => STAFF_ROLES.filter((role) => mayDo(role, action));
  for (const action of STAFF_ACTIONS) t.true(rolesOf(action).length > 0, action);
  for (const action of ['ledger.read', 'ledger.erase', 'ledger.prune'] as const)
    t.deepEqual(rolesOf(action), ['audit']);
  for (const action of ['staff.change', 'keys.change', 'portals.change'] as const)
    t.deepEqual(rolesOf(action), ['security']);
  t.deepEqual(rolesOf('house.run'), ['system']);
  t.deepEqual(rolesOf('people.serve'), ['counter']);
  t.false(STAFF_ACTIONS.some((action) => action.startsWith('people.') && mayDo('system', action)));
});

test('F1 every command that opens the house is somebody’s business, and what is not written down is nobody’s', (t) => {
  const usages = [
    PERSON,
    LIFE_USAGE,
    COMPANY,
    MANDATE,
    STAFF,
    CLIENT,
    FACTOR,
    KEYS,
    ROWS,
    INCIDENT,
    FEED,
    LOGOUT,
    BACKUP,
    AUDIT_SEARCH,
    AUDIT_EXPORT,
    AUDIT_ERASE,
    AUDIT_PRUNE,
    AUDIT_REPORT,
  ];
  const said = usages.flatMap((usage) =>
    [...usage.matchAll(/^\s*tongban ([a-z]+(?: [a-z-]+)*)/gm)].map(([, words]) => words!),
  );
  t.true(said.length > 40, `${said.length} lines`);
  // To let a key service make a key no house is opened.
  for (const words of said.filter((one) => one !== 'keys wrap')) t.not(actOf(line(words)), undefined, words);
  for (const words of ['client remove', 'person', 'audit forge', 'keys', 'constructor', 'toString x', '__proto__ y'])
    t.is(actOf(line(words)), undefined, words);
  t.like(actOf(line('person merge --undo mrg_1')), { action: 'people.shut' });
  t.like(actOf(line('person merge show --id x')), { action: 'people.read' });
});

test('F4 a member acts within their role alone, under the account of the machine that is theirs', (t) => {
  const act = (text: string, members: readonly StaffMember[] = ALL, account = 'wang') =>
    actingIn(line(text), members, account);
  t.is(act('keys rotate', []).state, 'unasked');
  t.is(act('keys rotate', [member('audit'), member('security', { status: 'disabled' })]).state, 'unasked');
  t.like(act('keys rotate'), { state: 'refused', reason: 'nobody' });
  t.like(act('keys rotate --by psn_nobody'), { state: 'refused', reason: 'unknown' });
  t.like(act('keys rotate --by psn_audit'), { state: 'refused', reason: 'role' });
  t.like(act('keys rotate --by=psn_security'), { state: 'acts', args: ['rotate'] });
  t.like(act('keys forge --by psn_security'), { state: 'refused', reason: 'command' });
  for (const question of ['keys', 'keys --help', 'keys help']) t.is(act(question).state, 'unasked', question);
  for (const trick of ['person disable --id x --reason help', 'keys rotate --help'])
    t.is(act(trick).state, 'refused', trick);
  const own = [member('security', { account: 'wang' }), member('audit', { account: 'li' })];
  t.like(act('keys rotate', own), { state: 'acts' }, 'the account says who it is');
  t.like(act('audit search --by psn_audit', own), { state: 'refused', reason: 'account' });
  t.like(act('audit search', own, 'li'), { state: 'acts' });
  t.like(act('keys rotate', own, 'zhao'), { state: 'refused', reason: 'nobody' });
  t.like(
    act('company review approve clm_1 --by Wang --reason x'),
    { state: 'refused', reason: 'unknown' },
    'a name is no member',
  );
  t.deepEqual(act('audit prune approve prn_1 --by psn_audit'), {
    state: 'acts',
    member: ALL[2],
    args: ['prune', 'approve', 'prn_1', '--by', 'psn_audit'],
  });
  t.deepEqual(byIn(['a', '--by']), { by: '', rest: ['a'] });
});

test('F4 H5 a command without a role is refused and on record, and one with it names who acted', async (t) => {
  const dataDir = await freshFolder(t);
  const env = { TONGBAN_PROFILE: 'test', TONGBAN_DATA_DIR: dataDir };
  const add = await tongban(['person', 'add', '--id-number', WANG.idNumber, '--name', WANG.name, '--json'], env);
  const { id } = JSON.parse(add.stdout) as { readonly id: string };
  t.is(
    (await tongban(['staff', 'add', id, '--role', 'security'], env)).code,
    0,
    'the first is named by whoever holds the keys',
  );
  const unnamed = await tongban(['keys', 'list'], env);
  t.is(unnamed.code, 1);
  t.regex(unnamed.stderr, /--by/);
  t.is(
    (await tongban(['audit', 'search', '--type', 'staff.added', '--reason', 'a look at the house', '--by', id], env))
      .code,
    1,
    'security reads no ledger',
  );
  t.is((await tongban(['staff', 'account', id, '--account', userInfo().username, '--by', id], env)).code, 0);
  const shut = await tongban(['person', 'disable', '--id', id, '--reason', 'left'], env);
  t.is(shut.code, 0, `${shut.stderr}: the account of the machine says who it is`);
  const house = await openHouse(configFor({ dataDir }));
  t.teardown(() => house.close());
  const refused = (await allTold({ house }, 'staff.refused')).map(({ data }) => data);
  t.deepEqual(refused, [
    { action: 'keys.read', reason: 'nobody' },
    { action: 'ledger.read', reason: 'role', role: 'security' },
  ]);
  const account = userInfo().username;
  t.like((await allTold({ house }, 'staff.added'))[0], { actor: `operator:${account}` });
  t.like((await allTold({ house }, 'staff.account-changed'))[0], {
    actor: `operator:${account}/${id}/security`,
    subject: id,
    data: { account },
  });
  t.like((await allTold({ house }, 'person.disabled'))[0], { actor: `operator:${account}/${id}/security` });
});

test('F4 a member whose account is shut gives no commands', async (t) => {
  const env = { TONGBAN_PROFILE: 'test', TONGBAN_DATA_DIR: await freshFolder(t) };
  const ids: string[] = [];
  for (const { idNumber, name } of [WANG, LI]) {
    const added = await tongban(['person', 'add', '--id-number', idNumber, '--name', name, '--json'], env);
    ids.push((JSON.parse(added.stdout) as { readonly id: string }).id);
  }
  const [first = '', second = ''] = ids;
  t.is((await tongban(['staff', 'add', first, '--role', 'security'], env)).code, 0);
  t.is((await tongban(['staff', 'add', second, '--role', 'security', '--by', first], env)).code, 0);
  t.is((await tongban(['keys', 'list', '--by', second], env)).code, 0);
  t.is((await tongban(['person', 'disable', '--id', second, '--reason', 'left', '--by', first], env)).code, 0);
  const refused = await tongban(['keys', 'list', '--by', second], env);
  t.is(refused.code, 1);
  t.regex(refused.stderr, /no active member/);
  t.is(
    (await tongban(['rows', 'check', '--status', '--by', first], env)).code,
    1,
    'that is for those who run the house',
  );
});
