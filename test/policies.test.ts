import test from 'ava';
import { loadConfig } from '../src/config/load.ts';
import { renderPolicies } from '../src/config/policies.ts';
import { createOfficeRule } from '../src/defence/staff.ts';

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

const officeAt = createOfficeRule({ officeHours: '1-5 08:00-20:00', officeNetworks: ['10.1.0.0/16'] });
/** A Monday, nine in the morning in Beijing. */
const MONDAY = Date.UTC(2026, 0, 5, 1);
const HOURS = 3_600_000;

test('S1 members of staff come from their networks and in their hours', (t) => {
  const cases = [
    ['at the office', '10.1.2.3', MONDAY, 'open'],
    ['the same office, written in IPv6', '::ffff:10.1.2.3', MONDAY, 'open'],
    ['from home', '192.0.2.1', MONDAY, 'outside_network'],
    ['from nowhere', 'garbage', MONDAY, 'outside_network'],
    ['at night', '10.1.2.3', MONDAY + 12 * HOURS, 'outside_hours'],
    ['on Sunday', '10.1.2.3', MONDAY - 24 * HOURS, 'outside_hours'],
    ['from home, at night', '192.0.2.1', MONDAY + 12 * HOURS, 'outside_network'],
  ] as const;
  for (const [what, address, atMs, verdict] of cases) t.is(officeAt(address, atMs), verdict, what);
});
