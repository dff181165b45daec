import test from 'ava';
import { loadConfig } from '../src/config/load.ts';
import { renderPolicies } from '../src/config/policies.ts';
import { createStaffRules } from '../src/defence/staff.ts';

const load = (env: Record<string, string>) => {
  const outcome = loadConfig({ env: { TONGBAN_PROFILE: 'test', ...env } });
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.faults));
  return outcome.config;
};

test('S1 a policy is a word: it sets lengths, kinds, times and limits, and what is set by itself wins', (t) => {
  const plain = load({});
  t.is(plain.policy, 'citizen-default');
  t.like(plain.password, { minLength: 8, kindsMin: 1 });
  const strict = load({ TONGBAN_POLICY: 'mlps3' });
  t.like(strict.password, { minLength: 12, kindsMin: 3 });
  t.like(strict.session, { idleSeconds: 900, absoluteSeconds: 28_800 });
  t.like(strict.limits, { failuresPerAccount: 5, failureWindowSeconds: 3600, knownDeviceFailures: 3 });
  const own = load({ TONGBAN_POLICY: 'mlps3', TONGBAN_PASSWORD_MIN_LENGTH: '14' });
  t.like(own.password, { minLength: 14, kindsMin: 3 });
  t.false(loadConfig({ env: { TONGBAN_POLICY: 'lax' } }).ok);
});

test('E4 no setting makes the times of staff wider than a quarter of an hour idle and eight hours', (t) => {
  for (const [name, value] of [
    ['TONGBAN_STAFF_IDLE_SECONDS', '901'],
    ['TONGBAN_STAFF_ABSOLUTE_SECONDS', '28801'],
    ['TONGBAN_STAFF_OFFICE_NETWORKS', 'anywhere'],
    ['TONGBAN_STAFF_OFFICE_HOURS', 'always'],
  ] as const)
    t.false(loadConfig({ env: { TONGBAN_PROFILE: 'test', [name]: value } }).ok, name);
});

test('the page of the policies shows the bounds and both values of what they decide', (t) => {
  const page = renderPolicies();
  t.true(page.includes('| `password.minLength` | 8 to 64 characters | `8` | **`12`** |'));
  t.true(page.includes('| `staff.idleSeconds` | 60 to 900 seconds | `900` | `900` |'));
});

const RULES = createStaffRules({
  officeHours: '1-5 08:00-20:00',
  officeNetworks: ['10.1.0.0/16'],
  idleSeconds: 900,
  absoluteSeconds: 28_800,
});
/** A Monday, nine in the morning in Beijing. */
const MONDAY = Date.UTC(2026, 0, 5, 1);
const HOURS = 3_600_000;

test('S1 E4 members of staff come from their networks, in their hours, with a key beside the password', (t) => {
  const good = { address: '10.1.2.3', atMs: MONDAY, amr: ['pwd', 'hwk'] };
  const cases = [
    ['at the office', {}, 'allowed'],
    ['a software key', { amr: ['pwd', 'swk', 'mfa'] }, 'allowed'],
    ['the same office, written in IPv6', { address: '::ffff:10.1.2.3' }, 'allowed'],
    ['from home', { address: '192.0.2.1' }, 'outside_network'],
    ['from nowhere', { address: 'garbage' }, 'outside_network'],
    ['at night', { atMs: MONDAY + 12 * HOURS }, 'outside_hours'],
    ['on Sunday', { atMs: MONDAY - 24 * HOURS }, 'outside_hours'],
    ['a password alone', { amr: ['pwd'] }, 'no_cryptographic_factor'],
    ['a code by SMS', { amr: ['pwd', 'sms', 'mfa'] }, 'no_cryptographic_factor'],
    ['a dynamic code', { amr: ['pwd', 'otp', 'mfa'] }, 'no_cryptographic_factor'],
    ['a key alone', { amr: ['hwk'] }, 'no_cryptographic_factor'],
    ['from home, without a key', { address: '192.0.2.1', amr: ['pwd'] }, 'outside_network'],
  ] as const;
  for (const [what, change, verdict] of cases) t.is(RULES.judge({ ...good, ...change }), verdict, what);
});

test('E4 a session of staff ends after a quarter of an hour without use, and after eight hours', (t) => {
  const at = 1_000_000;
  const left = (usedAfter: number, nowAfter: number) =>
    RULES.secondsLeft({ provenAt: at, usedAt: at + usedAfter, now: at + nowAfter });
  t.is(left(0, 0), 900);
  t.is(left(0, 899), 1);
  t.is(left(0, 900), 0);
  t.is(left(28_000, 28_000), 800, 'the end of eight hours comes first');
  t.is(left(28_700, 28_800), 0);
});
