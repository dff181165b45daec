import test, { type ExecutionContext } from 'ava';
import { addressGroup } from '../src/defence/networks.ts';
import { type AttemptLimits, createAttempts } from '../src/factors/attempts.ts';
import { turnClock } from '../src/shared/clock.ts';
import { createMemoryCounters } from '../src/storage/memory-counters.ts';
import { createSqlCounters } from '../src/storage/sql-counters.ts';
import { sqliteDatabase } from './support/databases.ts';

const LIMITS: AttemptLimits = {
  failuresPerAccount: 5,
  failureWindowSeconds: 900,
  failuresPerAddress: 1000,
  failuresPerNetwork: 100_000,
  addressWindowSeconds: 60,
  knownDeviceFailures: 3,
};

const attemptsWith = (limits: Partial<AttemptLimits> = {}) =>
  createAttempts({ counters: createMemoryCounters(), limits: { ...LIMITS, ...limits } });

const durableAttempts = async (t: ExecutionContext) =>
  createAttempts({ counters: createSqlCounters(await sqliteDatabase(t)), limits: LIMITS });

const address = (n: number): string => `198.51.${n >> 8}.${n & 255}`;

test.afterEach.always(() => turnClock(0));

test.serial('D7 V21 a hundred guesses at once get five verdicts, from however many addresses', async (t) => {
  for (const attempts of [attemptsWith(), await durableAttempts(t)]) {
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, n) => attempts.take({ account: 'psn_1', address: address(n) })),
    );
    t.is(outcomes.filter((outcome) => outcome === 'allowed').length, 5);
    t.is(outcomes.filter((outcome) => outcome === 'account_exhausted').length, 95);
    t.is(await attempts.take({ account: 'psn_2', address: address(1) }), 'allowed', 'other accounts stay open');
  }
});

test.serial('D8 V23 strangers cannot shut out the owner on a device that is known', async (t) => {
  const attempts = await durableAttempts(t);
  for (let n = 0; n < 50; n += 1) await attempts.take({ account: 'psn_1', address: address(n) });
  const owner = { account: 'psn_1', address: '203.0.113.7', knownDeviceDigest: 'digest' };
  t.is(await attempts.take(owner), 'allowed');
  await attempts.succeeded(owner);
  t.deepEqual(
    [await attempts.take(owner), await attempts.take(owner), await attempts.take(owner), await attempts.take(owner)],
    ['allowed', 'allowed', 'allowed', 'account_exhausted'],
    'a stolen device has its limit too',
  );
  t.is(
    await attempts.take({ account: 'psn_1', address: '203.0.113.7' }),
    'account_exhausted',
    'and its success gives strangers nothing',
  );
  t.is(await attempts.take({ ...owner, account: 'psn_2' }), 'allowed');
});

test.serial('D6 a success starts the count anew, and a window that is over too, each time for longer', async (t) => {
  const attempts = attemptsWith();
  const attempt = { account: 'psn_1', address: address(1) };
  const allowedOf = async (times: number): Promise<number> => {
    let allowed = 0;
    for (let n = 0; n < times; n += 1) if ((await attempts.take(attempt)) === 'allowed') allowed += 1;
    return allowed;
  };
  t.is(await allowedOf(4), 4);
  await attempts.succeeded(attempt);
  t.is(await allowedOf(20), 5);
  turnClock(901_000);
  t.is(await allowedOf(20), 5, 'the next quarter of an hour');
  turnClock(1_802_000);
  t.is(await allowedOf(20), 0, 'ten in an hour');
  let inADay = 10;
  for (let quarter = 3; quarter < 96; quarter += 1) {
    turnClock(quarter * 901_000);
    inADay += await allowedOf(20);
  }
  t.true(inADay <= 20, `${inADay} in a day`);
  turnClock(25 * 3_600_000);
  t.is(await allowedOf(20), 5, 'never closed for good');
});

test.serial('X6 an address that floods is stopped before it touches the accounts it aims at', async (t) => {
  const attempts = attemptsWith({ failuresPerAddress: 3 });
  const outcomes: string[] = [];
  for (let n = 0; n < 5; n += 1) outcomes.push(await attempts.take({ account: `psn_${n}`, address: '192.0.2.1' }));
  t.deepEqual(outcomes, ['allowed', 'allowed', 'allowed', 'address_exhausted', 'address_exhausted']);
  for (let n = 0; n < 5; n += 1) await attempts.take({ account: 'psn_9', address: '192.0.2.1' });
  t.is(await attempts.take({ account: 'psn_9', address: '192.0.2.2' }), 'allowed');
  await attempts.succeeded({ account: 'psn_1', address: '192.0.2.1' });
  t.is(
    await attempts.take({ account: 'psn_1', address: '192.0.2.1' }),
    'address_exhausted',
    'an account of one’s own does not buy more guesses',
  );
});

test.serial(
  'X6 a network whose addresses take turns is stopped as well, each address within its own limit',
  async (t) => {
    const attempts = attemptsWith({ failuresPerAddress: 2, failuresPerNetwork: 6 });
    const outcomes: string[] = [];
    for (let n = 0; n < 10; n += 1)
      outcomes.push(await attempts.take({ account: `psn_${n}`, address: `192.0.2.${n}` }));
    t.deepEqual(outcomes, [...Array(6).fill('allowed'), ...Array(4).fill('address_exhausted')]);
    t.is(await attempts.take({ account: 'psn_1', address: '192.0.3.1' }), 'allowed', 'the next network');
    for (let n = 0; n < 7; n += 1) await attempts.take({ account: 'psn_x', address: `2001:db8:1:${n}::1` });
    t.is(
      await attempts.take({ account: 'psn_y', address: '2001:db8:1:ffff::1' }),
      'address_exhausted',
      'a /48 of IPv6',
    );
    t.is(await attempts.take({ account: 'psn_y', address: '2001:db8:2::1' }), 'allowed');
  },
);

test.serial(
  'D8 a flood from its own address or network does not shut out a device the person has signed in with',
  async (t) => {
    const attempts = attemptsWith({ failuresPerAddress: 2, failuresPerNetwork: 3 });
    for (let n = 0; n < 9; n += 1) await attempts.take({ account: `psn_${n}`, address: '192.0.2.7' });
    t.is(await attempts.take({ account: 'psn_1', address: '192.0.2.7' }), 'address_exhausted');
    const known = { account: 'psn_1', address: '192.0.2.7', knownDeviceDigest: 'digest' };
    t.is(await attempts.take(known), 'allowed');
    await attempts.take(known);
    await attempts.take(known);
    t.is(await attempts.take(known), 'account_exhausted', 'and has three tries like everywhere');
  },
);

test.serial(
  'D8 D10 the password, the second factor and a sent code are counted apart, and a right password clears only its own',
  async (t) => {
    const attempts = attemptsWith();
    const common = { account: 'psn_1', address: address(1) };
    for (let n = 0; n < 6; n += 1) await attempts.take(common);
    t.is(await attempts.take(common), 'account_exhausted');
    t.is(await attempts.take({ ...common, kind: 'sent_code' }), 'allowed', 'the second way stays open');
    for (let n = 0; n < 5; n += 1) await attempts.take({ ...common, kind: 'second_factor' });
    await attempts.succeeded(common);
    t.is(await attempts.take(common), 'allowed');
    t.is(
      await attempts.take({ ...common, kind: 'second_factor' }),
      'account_exhausted',
      'whoever knows the password has no more guesses at the second factor for it',
    );
  },
);

test('X6 V44 addresses are grouped as one household, and what cannot be read shares one allowance', (t) => {
  const cases = [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::ffff:c000:201', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2::', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['', 'unreadable'],
    ['garbage', 'unreadable'],
    ['192.0.2.1, 10.0.0.1', 'unreadable'],
    ['192.0.2.999', 'unreadable'],
    ['2001:db8::1::2', 'unreadable'],
  ] as const;
  for (const [typed, group] of cases) t.is(addressGroup(typed), group, typed);
});
