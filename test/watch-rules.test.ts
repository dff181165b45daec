import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { shippedSettings } from '../src/config/load.ts';
import { networkOf, networkTable } from '../src/defence/networks.ts';
import { loadRegions, type RegionTable } from '../src/defence/regions.ts';
import type { EventType } from '../src/ledger/events.ts';
import { Examiner } from '../src/monitoring/watch/examiner.ts';
import type { RuleSetting, WatchSettings } from '../src/monitoring/watch/rule.ts';
import { RULES } from '../src/monitoring/watch/rules.ts';
import { Standing } from '../src/monitoring/watch/standing.ts';
import type { Finding } from '../src/monitoring/watch/tallying.ts';
import type { Awaited } from '../src/monitoring/watch/watch-cursor.ts';
import { nowMs, turnClock } from '../src/shared/clock.ts';
import { createMemoryCounters } from '../src/storage/memory-counters.ts';
import { sqliteDatabase, temporaryFolder } from './support/databases.ts';
import { type ScenarioEvent, turnTo, watchedLedger } from './support/watch-rows.ts';

test.after.always(() => turnClock(0));

const DEFAULTS = shippedSettings('default').watch as WatchSettings;
const HOUR = 3600;
const DAY = 86_400;

type Overrides = { readonly [Key in keyof WatchSettings]?: Partial<WatchSettings[Key]> | WatchSettings[Key] };

function settingsWith(overrides: Overrides): WatchSettings {
  const entries = Object.entries(DEFAULTS).map(([key, value]) => {
    const over = overrides[key as keyof WatchSettings];
    const merged = typeof value === 'object' && !Array.isArray(value) ? { ...value, ...(over as object) } : over;
    return [key, over === undefined ? value : merged];
  });
  return Object.fromEntries(entries) as WatchSettings;
}

const failure = (type: EventType, more: Omit<ScenarioEvent, 'type'>): ScenarioEvent => ({
  type,
  outcome: 'failure',
  ...more,
});
const refused = (personId: string | undefined, at: number, details: ScenarioEvent['details'] = {}, address?: string) =>
  failure('sign-in.refused', {
    personId,
    at,
    address,
    details: { reason: 'mismatch', factor: 'password', ...details },
  });
const signedIn = (personId: string, at: number, address?: string, details: ScenarioEvent['details'] = {}) => ({
  type: 'sign-in.succeeded' as const,
  personId,
  at,
  address,
  details: { amr: ['pwd'], acr: 'one', ...details },
});
const entered = (personId: string, at: number, scopes: readonly string[], sessionUid?: string): ScenarioEvent => ({
  type: 'portal.entered',
  personId,
  clientId: 'portal-a',
  at,
  sessionUid,
  details: { acr: 'one', scopes },
});
const accepted = (mandate: string, at: number): ScenarioEvent => ({
  type: 'mandate.accepted',
  personId: 'psn_a',
  at,
  details: { mandate, kind: 'agent' },
});
const under = (mandate: string, at: number): ScenarioEvent => ({
  ...entered('psn_a', at, ['openid'], 's1'),
  details: { acr: 'one', scopes: ['openid'], mandate },
});
const released = (personId: string, at: number, clientId = 'portal-a'): ScenarioEvent => ({
  type: 'personal-data.released',
  personId,
  clientId,
  at,
  details: { claims: ['id_number'] },
});
const times = (count: number, make: (index: number) => ScenarioEvent): ScenarioEvent[] =>
  Array.from({ length: count }, (_, index) => make(index));
const operator = (type: EventType, at: number, more: Partial<ScenarioEvent> = {}): ScenarioEvent => ({
  type,
  actor: 'operator:li',
  at,
  ...more,
});
const feed = (type: 'feed.failed' | 'feed.recovered', at: number, name = 'siem') => ({
  type,
  at,
  details: { feed: name },
});

const JINAN = '192.0.2.10';
const QINGDAO = '192.0.2.200';
const URUMQI = '198.51.100.7';
const REGIONS = [
  { network: '192.0.2.0/24', region: '济南', latitude: 36.65, longitude: 117.12 },
  { network: '192.0.2.128/25', region: '泰安', latitude: 36.2, longitude: 117.09 },
  { network: '198.51.100.0/24', region: '乌鲁木齐', latitude: 43.83, longitude: 87.62 },
  { network: '2001:db8:1::/48', region: '广州', latitude: 23.13, longitude: 113.26 },
];
const OFFICE: Overrides = { officeHours: '1-5 08:00-20:00', officeNetworks: ['10.1.0.0/16', '2001:db8:aa::/48'] };

/** How often the rule fires when nothing cools down, over the events, and then at `until`. */
type Row = readonly [
  rule: RuleSetting,
  title: string,
  events: readonly ScenarioEvent[],
  fires: number,
  overrides?: Overrides,
  until?: number,
];

const reveal = (at: number, personId = 'psn_a') => operator('personal-data.revealed', at, { personId });
const spray = (count: number, network = '203.0.113') =>
  times(count, (index) => refused(`psn_${index}`, index, {}, `${network}.${(index % 250) + 1}`));
const ratio: Overrides = { stuffingRatio: { threshold: 10, ratioPercent: 60 } };
const three: Overrides = { massRevealByPortal: { threshold: 3 }, recoveryEnumeration: { threshold: 3 } };

const ROWS: readonly Row[] = [
  ['bruteForce', 'nine refusals', times(9, (at) => refused('psn_a', at)), 0],
  ['bruteForce', 'the tenth refusal', times(10, (at) => refused('psn_a', at)), 1],
  ['bruteForce', 'ten refusals over two persons', times(10, (at) => refused(`psn_${at % 2}`, at)), 0],
  ['bruteForce', 'ten unknown numbers', times(10, (at) => refused(undefined, at)), 0],
  [
    'bruteForce',
    'refusals of a locked account count too',
    times(10, (at) => refused('psn_a', at, { reason: 'locked' })),
    1,
  ],
  ['bruteForce', 'one entry for nine and one more', [refused('psn_a', 0, { repeated: 9 }), refused('psn_a', 1)], 1],
  ['bruteForce', 'one entry that stands for a million', [refused('psn_a', 0, { repeated: 1_000_000 })], 1],
  ['bruteForce', 'ten refusals over ten hours', times(10, (at) => refused('psn_a', at * HOUR)), 0],
  ['bruteForce', 'ten refusals across the end of a window', times(10, (at) => refused('psn_a', 1795 + at)), 1],
  ['bruteForce', 'successes do not count', times(20, (at) => signedIn('psn_a', at)), 0],
  ['bruteForce', 'a lower threshold', times(3, (at) => refused('psn_a', at)), 1, { bruteForce: { threshold: 3 } }],
  ['bruteForce', 'switched off', times(30, (at) => refused('psn_a', at)), 0, { bruteForce: { enabled: false } }],

  ['passwordSpray', 'twenty-nine accounts', spray(29), 0],
  ['passwordSpray', 'the thirtieth account', spray(30), 1],
  ['passwordSpray', 'one account a hundred times', times(100, (at) => refused('psn_a', at, {}, '203.0.113.1')), 0],
  ['passwordSpray', 'thirty unknown numbers', times(30, (at) => refused(undefined, at, {}, '203.0.113.1')), 1],
  [
    'passwordSpray',
    'thirty accounts from thirty networks',
    times(30, (at) => refused(`psn_${at}`, at, {}, `203.0.${at}.1`)),
    0,
  ],
  [
    'passwordSpray',
    'thirty accounts from one IPv6 /48',
    times(30, (at) => refused(`psn_${at}`, at, {}, `2001:db8:1:${at}::1`)),
    1,
  ],
  [
    'passwordSpray',
    'thirty accounts from thirty IPv6 /48',
    times(30, (at) => refused(`psn_${at}`, at, {}, `2001:db8:${at}::1`)),
    0,
  ],
  [
    'passwordSpray',
    'IPv4 written in IPv6 is the same network',
    [...spray(15), ...times(15, (at) => refused(`psn_x${at}`, at, {}, '::ffff:203.0.113.9'))],
    1,
  ],
  ['passwordSpray', 'no address, no network', times(40, (at) => refused(`psn_${at}`, at)), 0],
  ['passwordSpray', 'what is no address', times(40, (at) => refused(`psn_${at}`, at, {}, 'unknown')), 0],
  [
    'passwordSpray',
    'the same accounts in the next window',
    [...spray(20), ...times(20, (index) => refused(`psn_${index}`, 500 + index, {}, '203.0.113.1'))],
    0,
  ],
  [
    'passwordSpray',
    'thirty accounts over five hours',
    times(30, (at) => refused(`psn_${at}`, at * 600, {}, '203.0.113.1')),
    0,
  ],

  ['stuffingRatio', 'too few to judge', times(9, (at) => refused(undefined, at)), 0, ratio],
  ['stuffingRatio', 'ten refusals and nothing else', times(10, (at) => refused(undefined, at)), 1, ratio],
  [
    'stuffingRatio',
    'ten refusals among ten successes',
    [...times(10, (at) => signedIn(`psn_${at}`, at)), ...times(10, (at) => refused(undefined, at))],
    0,
    ratio,
  ],
  [
    'stuffingRatio',
    'the share is passed',
    [...times(4, (at) => signedIn(`psn_${at}`, at)), ...times(10, (at) => refused(undefined, at))],
    1,
    ratio,
  ],
  [
    'stuffingRatio',
    'exactly the share does not fire',
    [...times(4, (at) => signedIn('psn_a', at)), refused(undefined, 5, { repeated: 6 })],
    0,
    { stuffingRatio: { threshold: 6, ratioPercent: 60 } },
  ],
  ['stuffingRatio', 'repeated refusals count as many', [refused(undefined, 0, { repeated: 12 })], 1, ratio],
  [
    'stuffingRatio',
    'refusals of long ago do not count',
    [...times(9, (at) => refused(undefined, at)), refused(undefined, HOUR)],
    0,
    ratio,
  ],

  ['refreshReuse', 'one reuse', [failure('refresh.reused', { personId: 'psn_a', clientId: 'portal-a', at: 0 })], 1],
  [
    'refreshReuse',
    'a reuse whose person is not known',
    [failure('refresh.reused', { clientId: 'portal-a', at: 0 })],
    1,
  ],
  ['refreshReuse', 'nobody to name', [failure('refresh.reused', { at: 0 })], 0],
  [
    'refreshReuse',
    'a refused token is no reuse',
    [failure('token.refused', { clientId: 'portal-a', at: 0, details: { error: 'invalid_grant' } })],
    0,
  ],
  [
    'refreshReuse',
    'two of three',
    times(2, (at) => failure('refresh.reused', { personId: 'psn_a', at })),
    0,
    { refreshReuse: { threshold: 3 } },
  ],

  ['codeReplay', 'one replay', [failure('code.replayed', { clientId: 'portal-a', at: 0 })], 1],
  ['codeReplay', 'no portal', [failure('code.replayed', { at: 0 })], 0],
  ['codeReplay', 'a revoked token', [{ type: 'token.revoked', clientId: 'portal-a', at: 0 }], 0],
  [
    'codeReplay',
    'three at three portals with a threshold of three',
    times(3, (at) => failure('code.replayed', { clientId: `p${at}`, at })),
    0,
    { codeReplay: { threshold: 3 } },
  ],
  [
    'codeReplay',
    'three at one portal with a threshold of three',
    times(3, (at) => failure('code.replayed', { clientId: 'p', at })),
    1,
    { codeReplay: { threshold: 3 } },
  ],

  [
    'newDeviceSensitiveScope',
    'the ID number in the same session',
    [
      signedIn('psn_a', 0, undefined, { device: 'new', session: 's1' }),
      entered('psn_a', 5, ['openid', 'id_number'], 's1'),
    ],
    1,
  ],
  [
    'newDeviceSensitiveScope',
    'the same session hours later',
    [signedIn('psn_a', 0, undefined, { device: 'new', session: 's1' }), entered('psn_a', 5 * HOUR, ['phone'], 's1')],
    1,
  ],
  [
    'newDeviceSensitiveScope',
    'within ten minutes without a session',
    [signedIn('psn_a', 0, undefined, { device: 'new' }), entered('psn_a', 590, ['address'])],
    1,
  ],
  [
    'newDeviceSensitiveScope',
    'after ten minutes in another session',
    [signedIn('psn_a', 0, undefined, { device: 'new', session: 's1' }), entered('psn_a', 700, ['address'], 's2')],
    0,
  ],
  [
    'newDeviceSensitiveScope',
    'a known device',
    [signedIn('psn_a', 0, undefined, { device: 'known', session: 's1' }), entered('psn_a', 5, ['id_number'], 's1')],
    0,
  ],
  [
    'newDeviceSensitiveScope',
    'nothing said about the device',
    [signedIn('psn_a', 0), entered('psn_a', 5, ['id_number'])],
    0,
  ],
  [
    'newDeviceSensitiveScope',
    'scopes that are not sensitive',
    [signedIn('psn_a', 0, undefined, { device: 'new' }), entered('psn_a', 5, ['openid', 'identity', 'profile'])],
    0,
  ],
  [
    'newDeviceSensitiveScope',
    'somebody else',
    [signedIn('psn_a', 0, undefined, { device: 'new', session: 's1' }), entered('psn_b', 5, ['id_number'], 's2')],
    0,
  ],

  [
    'impossibleTravel',
    'Jinan and Urumqi within an hour',
    [signedIn('psn_a', 0, JINAN), signedIn('psn_a', HOUR, URUMQI)],
    1,
  ],
  [
    'impossibleTravel',
    'Jinan and Urumqi within a day',
    [signedIn('psn_a', 0, JINAN), signedIn('psn_a', 20 * HOUR, URUMQI)],
    0,
  ],
  ['impossibleTravel', 'two persons', [signedIn('psn_a', 0, JINAN), signedIn('psn_b', 60, URUMQI)], 0],
  [
    'impossibleTravel',
    'neighbouring cities are too inexact',
    [signedIn('psn_a', 0, JINAN), signedIn('psn_a', 1, QINGDAO)],
    0,
  ],
  [
    'impossibleTravel',
    'an address the table does not know',
    [signedIn('psn_a', 0, JINAN), signedIn('psn_a', 60, '203.0.113.5')],
    0,
  ],
  [
    'impossibleTravel',
    'there and back',
    [signedIn('psn_a', 0, JINAN), signedIn('psn_a', 60, URUMQI), signedIn('psn_a', 120, JINAN)],
    2,
  ],
  ['impossibleTravel', 'by IPv6', [signedIn('psn_a', 0, JINAN), signedIn('psn_a', 60, '2001:db8:1:2::9')], 1],
  [
    'impossibleTravel',
    'refused attempts are nobody who travels',
    [signedIn('psn_a', 0, JINAN), refused('psn_a', 60, {}, URUMQI)],
    0,
  ],
  [
    'impossibleTravel',
    'a slower limit',
    [signedIn('psn_a', 0, JINAN), signedIn('psn_a', 20 * HOUR, URUMQI)],
    1,
    { impossibleTravel: { threshold: 100 } },
  ],
  [
    'impossibleTravel',
    'many other events between',
    [signedIn('psn_a', 0, JINAN), ...times(40, (at) => released('psn_a', at)), signedIn('psn_a', HOUR, URUMQI)],
    1,
  ],

  ['disabledAccountUse', 'a disabled account', [refused('psn_a', 0, { reason: 'disabled' })], 1],
  ['disabledAccountUse', 'another reason', [refused('psn_a', 0)], 0],
  ['disabledAccountUse', 'nobody to name', [refused(undefined, 0, { reason: 'disabled' })], 0],
  [
    'disabledAccountUse',
    'two of three',
    times(2, (at) => refused('psn_a', at, { reason: 'disabled' })),
    0,
    { disabledAccountUse: { threshold: 3 } },
  ],

  ['massRevealByPortal', 'two people of three', times(2, (at) => released(`psn_${at}`, at)), 0, three],
  ['massRevealByPortal', 'three people', times(3, (at) => released(`psn_${at}`, at)), 1, three],
  ['massRevealByPortal', 'one person often', times(9, (at) => released('psn_a', at)), 0, three],
  ['massRevealByPortal', 'three portals', times(3, (at) => released(`psn_${at}`, at, `portal-${at}`)), 0, three],
  ['massRevealByPortal', 'three people in three days', times(3, (at) => released(`psn_${at}`, at * DAY)), 0, three],

  ['massRevealByOperator', 'forty-nine records', times(49, (at) => reveal(at, `psn_${at}`)), 0],
  ['massRevealByOperator', 'the fiftieth record', times(50, (at) => reveal(at, `psn_${at}`)), 1],
  ['massRevealByOperator', 'the same person fifty times', times(50, (at) => reveal(at)), 1],
  [
    'massRevealByOperator',
    'a search that opened sixty',
    [operator('audit.search', 0, { details: { filters: ['type', 'opened'], matches: 60 } })],
    1,
  ],
  [
    'massRevealByOperator',
    'a search that left them closed',
    [operator('audit.search', 0, { details: { filters: ['type'], matches: 60 } })],
    0,
  ],
  [
    'massRevealByOperator',
    'an opened export',
    [operator('audit.export', 0, { details: { from: 0, to: 500, format: 'json', opened: true } })],
    1,
  ],
  [
    'massRevealByOperator',
    'an opened export of three entries that lie far apart',
    [operator('audit.export', 0, { details: { from: 0, to: 500, count: 3, format: 'records', opened: true } })],
    0,
  ],
  [
    'massRevealByOperator',
    'a closed export',
    [operator('audit.export', 0, { details: { from: 0, to: 500, format: 'json', opened: false } })],
    0,
  ],
  [
    'massRevealByOperator',
    'two operators share them',
    times(50, (at) => ({ ...reveal(at), actor: `operator:${at % 2}` })),
    0,
  ],
  [
    'massRevealByOperator',
    'a person who looks at their own',
    times(60, (at) => ({ ...reveal(at), actor: 'psn_a' })),
    0,
  ],

  [
    'mandateBulkUse',
    'a new mandate used twenty times',
    [accepted('mnd_1', 0), ...times(20, (at) => under('mnd_1', at + 1))],
    1,
  ],
  [
    'mandateBulkUse',
    'twenty new mandates used once each',
    [...times(20, (at) => accepted(`mnd_${at}`, at)), ...times(20, (at) => under(`mnd_${at}`, at + 20))],
    1,
  ],
  [
    'mandateBulkUse',
    'a new mandate used nineteen times',
    [accepted('mnd_1', 0), ...times(19, (at) => under('mnd_1', at + 1))],
    0,
  ],
  [
    'mandateBulkUse',
    'an old mandate used twenty times',
    [accepted('mnd_1', 0), ...times(20, (at) => under('mnd_1', at + 25 * HOUR))],
    0,
  ],
  [
    'mandateBulkUse',
    'a person who enters as themselves',
    [accepted('mnd_1', 0), ...times(20, (at) => entered('psn_a', at + 1, ['openid'], 's1'))],
    0,
  ],

  [
    'recoveryEnumeration',
    'two of three',
    times(2, (at) => failure('registration.refused', { at, address: JINAN, details: { reason: 'exists' } })),
    0,
    three,
  ],
  [
    'recoveryEnumeration',
    'three refused registrations',
    times(3, (at) => failure('registration.refused', { at, address: `192.0.2.${at}`, details: { reason: 'exists' } })),
    1,
    three,
  ],
  [
    'recoveryEnumeration',
    'three networks',
    times(3, (at) => failure('registration.refused', { at, address: `198.51.${at}.1`, details: { reason: 'exists' } })),
    0,
    three,
  ],
  [
    'recoveryEnumeration',
    'one entry for many',
    [failure('registration.refused', { at: 0, address: JINAN, details: { reason: 'exists', repeated: 30 } })],
    1,
    three,
  ],
  [
    'recoveryEnumeration',
    'no address',
    times(5, (at) => failure('registration.refused', { at, details: { reason: 'exists' } })),
    0,
    three,
  ],

  ['administratorUnusual', 'on Monday at ten', [operator('key.rotated', 0)], 0, OFFICE],
  [
    'administratorUnusual',
    'on Monday at half past nine in the evening',
    [operator('key.rotated', 11.5 * HOUR)],
    1,
    OFFICE,
  ],
  ['administratorUnusual', 'at eight sharp it has ended', [operator('key.rotated', 10 * HOUR)], 1, OFFICE],
  [
    'administratorUnusual',
    'on Saturday at ten',
    [operator('person.disabled', 5 * DAY, { personId: 'psn_a' })],
    1,
    OFFICE,
  ],
  [
    'administratorUnusual',
    'on Friday at ten',
    [operator('person.disabled', 4 * DAY, { personId: 'psn_a' })],
    0,
    OFFICE,
  ],
  [
    'administratorUnusual',
    'at night when the night is office time',
    [operator('key.rotated', 14 * HOUR)],
    0,
    { officeHours: '1-5 20:00-06:00' },
  ],
  [
    'administratorUnusual',
    'the morning after the last night shift',
    [operator('key.rotated', 4 * DAY + 18 * HOUR)],
    0,
    { officeHours: '1-5 20:00-06:00' },
  ],
  [
    'administratorUnusual',
    'the night after Saturday',
    [operator('key.rotated', 5 * DAY + 18 * HOUR)],
    1,
    { officeHours: '1-5 20:00-06:00' },
  ],
  [
    'administratorUnusual',
    'from the office',
    [operator('relying-party.changed', 0, { hostAddress: '10.1.200.3' })],
    0,
    OFFICE,
  ],
  [
    'administratorUnusual',
    'from the office by IPv6',
    [operator('relying-party.changed', 0, { hostAddress: '2001:db8:aa:1::5' })],
    0,
    OFFICE,
  ],
  [
    'administratorUnusual',
    'from elsewhere',
    [operator('relying-party.changed', 0, { address: '203.0.113.9' })],
    1,
    OFFICE,
  ],
  [
    'administratorUnusual',
    'no hours and no networks set',
    [operator('key.rotated', 14 * HOUR, { address: '203.0.113.9' })],
    0,
  ],
  ['administratorUnusual', 'the system itself at night', [{ type: 'key.rotated', at: 14 * HOUR }], 0, OFFICE],
  [
    'administratorUnusual',
    'work on an incident at night',
    [operator('incident.changed', 14 * HOUR, { details: { incident: 'inc_1', change: 'owned' } })],
    0,
    OFFICE,
  ],

  ['clockDrift', 'two seconds', [{ type: 'clock.step', at: 0, details: { stepMs: 2000 } }], 1],
  ['clockDrift', 'two seconds back', [{ type: 'clock.step', at: 0, details: { stepMs: -2000 } }], 1],
  ['clockDrift', 'a little less', [{ type: 'clock.step', at: 0, details: { stepMs: 1999 } }], 0],

  ['feedDown', 'down for a quarter of an hour', [feed('feed.failed', 0)], 1, {}, 960],
  ['feedDown', 'down for a minute less', [feed('feed.failed', 0)], 0, {}, 840],
  ['feedDown', 'recovered in time', [feed('feed.failed', 0), feed('feed.recovered', 600)], 0, {}, 5000],
  ['feedDown', 'another feed recovered', [feed('feed.failed', 0), feed('feed.recovered', 600, 'file')], 1, {}, 5000],
  [
    'feedDown',
    'down, up and down again',
    [feed('feed.failed', 0), feed('feed.recovered', 600), feed('feed.failed', 700)],
    0,
    {},
    1500,
  ],
  ['feedDown', 'said twice, waited for once', [feed('feed.failed', 0), feed('feed.failed', 60)], 1, {}, 5000],

  ['ledgerMismatch', 'a gap', [{ type: 'audit.gap', at: 0, details: { seq: 12, reason: 'missing' } }], 1],
  [
    'ledgerMismatch',
    'verified and good',
    [{ type: 'audit.verified', at: 0, details: { verdict: 'good', size: 12 } }],
    0,
  ],
  [
    'ledgerMismatch',
    'verified and bad',
    [{ type: 'audit.verified', at: 0, details: { verdict: 'mismatch', size: 12 } }],
    1,
  ],
  ['ledgerMismatch', 'verified without a verdict', [{ type: 'audit.verified', at: 0, details: { size: 12 } }], 1],
  [
    'sealedDataAltered',
    'one row',
    [failure('sealed-data.altered', { at: 0, details: { table: 'persons', column: 'name_sealed', row: 'psn_a' } })],
    1,
  ],
  ['rowAltered', 'one row', [failure('row.altered', { at: 0, details: { table: 'staff', row: 'psn_a' } })], 1],
  [
    'rowAltered',
    'sealed as they stood',
    [{ type: 'row.sealed', at: 0, details: { origin: 'first start', rows: 9 } }],
    1,
  ],
  [
    'rowAltered',
    'sealed by an operator',
    [{ type: 'row.sealed', at: 0, details: { origin: 'command line', rows: 1 } }],
    0,
  ],
  ['sealedDataAltered', 'a key is replaced', [{ type: 'key.resealed', at: 0, details: { resealed: 12 } }], 0],
];

test.serial('X11 each detection fires when it should and is silent when it should be', async (t) => {
  t.true(ROWS.length >= 80, `${ROWS.length} rows`);
  const database = await sqliteDatabase(t);
  const watched = watchedLedger(database);
  const regions = regionsOf(temporaryFolder(t));
  for (const [setting, title, events, fires, overrides = {}, until] of ROWS) {
    turnTo(0);
    const rows = events.map((event) =>
      // Persons of one row are strangers to the next.
      event.personId === undefined ? event : { ...event, personId: `${event.personId} ${ROWS.length} ${title}` },
    );
    // The clock of a row begins anew, which the ledger tells with an entry of its own.
    const from = await watched.write(rows);
    const to = await watched.reader.signedSize();
    const findings = await findingsOf(settingsWith(overrides), from);
    const own = findings.filter(({ rule }) => rule.setting === setting);
    t.is(own.length, fires, `${setting}: ${title}`);
    for (const { evidence, rule } of own) {
      t.true(evidence.length > 0 && evidence.length <= rule.evidenceMax, `${setting}: ${title}: evidence`);
      t.true(
        evidence.every((seq) => seq >= from && seq < to),
        `${setting}: ${title}: own evidence`,
      );
    }

    async function findingsOf(settings: WatchSettings, first: number): Promise<readonly Finding[]> {
      const examiner = new Examiner({
        reader: watched.reader,
        rules: RULES.filter((rule) => settings[rule.setting].enabled),
        settings,
        regions,
        counters: createMemoryCounters(),
        standing: new Standing(),
      });
      let awaited: readonly Awaited[] = [];
      const all: Finding[] = [];
      for (const stored of await watched.reader.read(first, 4096)) {
        const { ts } = JSON.parse(stored.entry) as { ts: string };
        turnClock(Date.parse(ts) - Date.now());
        const examination = await examiner.examine(stored, awaited);
        awaited = examination.awaited;
        all.push(...examination.findings);
      }
      if (until === undefined) return all;
      turnTo(until);
      return [...all, ...examiner.overdue(awaited, nowMs()).findings];
    }
  }
});

test('every rule has rows that fire and rows that do not', (t) => {
  for (const { setting } of RULES) {
    const rows = ROWS.filter(([of]) => of === setting);
    t.true(rows.some(([, , , fires]) => fires > 0) && rows.some(([, , , fires]) => fires === 0), setting);
  }
  t.is(new Set(RULES.map(({ id }) => id)).size, RULES.length);
  t.deepEqual(
    RULES.map(({ setting }) => setting).sort(),
    Object.keys(DEFAULTS)
      .filter((key) => typeof DEFAULTS[key as RuleSetting] === 'object' && key !== 'officeNetworks')
      .sort() as RuleSetting[],
  );
});

test('docs/watch.md tells of every rule, its default and what to do', (t) => {
  const document = readFileSync(new URL('../docs/watch.md', import.meta.url), 'utf8');
  const lines = document.split('\n');
  for (const { id, setting, title, advice, level } of RULES) {
    const { threshold, response } = DEFAULTS[setting];
    const row = lines.find((line) => line.startsWith(`| \`${id}\` |`)) ?? '';
    const told = [title.en, title.zh, `| ${threshold} in `, `| ${level} |`, `| ${response} |`, advice.en];
    for (const part of told) t.true(row.includes(part), `${id}: ${part}`);
    t.true(document.includes(`| \`${id}\` ${title.zh} | ${advice.zh} |`), id);
  }
});

function regionsOf(folder: string): RegionTable {
  const file = join(folder, 'regions.json');
  writeFileSync(file, JSON.stringify(REGIONS));
  const outcome = loadRegions(file);
  if (!outcome.ok) throw new Error(outcome.reason);
  return outcome.regions;
}

test('the narrowest network of the table of regions wins, and a wrong table is told in a sentence', (t) => {
  const folder = temporaryFolder(t);
  const regions = regionsOf(folder);
  const cases = [
    ['192.0.2.1', '济南'],
    ['192.0.2.128', '泰安'],
    ['::ffff:198.51.100.9', '乌鲁木齐'],
    ['2001:db8:1:ffff::1', '广州'],
    ['2001:db8:2::1', undefined],
    ['not an address', undefined],
  ] as const;
  for (const [address, region] of cases) t.is(regions.find(address)?.region, region, address);
  const wrong: readonly (readonly [string, RegExp])[] = [
    ['{', /is not JSON/],
    ['{}', /at the top/],
    ['[{"network":"10.0.0.0/33","region":"x","latitude":0,"longitude":0}]', /10\.0\.0\.0\/33, which is no network/],
    ['[{"network":"10.0.0.0/8","region":"x","latitude":99,"longitude":0}]', /0\.latitude/],
  ];
  for (const [text, sentence] of wrong) {
    const file = join(folder, 'wrong.json');
    writeFileSync(file, text);
    const outcome = loadRegions(file);
    t.false(outcome.ok);
    if (!outcome.ok) t.regex(outcome.reason, sentence);
  }
  const absent = loadRegions(join(folder, 'nowhere.json'));
  t.regex(absent.ok ? '' : absent.reason, /ENOENT/);
});

test('addresses are counted under the network one customer may have', (t) => {
  const cases = [
    ['203.0.113.77', '203.0.113.0/24'],
    ['::ffff:203.0.113.77', '203.0.113.0/24'],
    ['2001:db8:12:34::1', '2001:db8:12::/48'],
    ['2001:db8::1%eth0', '2001:db8:0::/48'],
    ['::1', '0:0:0::/48'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0::/48'],
    ['', undefined],
    ['1.2.3', undefined],
  ] as const;
  for (const [address, network] of cases) t.is(networkOf(address), network, address);
  for (const wrong of ['10.0.0.0', '10.0.0.0/33', '10.0.0.0/x', 'here/8', '::/129']) {
    t.deepEqual(networkTable([[wrong, 1]]), { wrong });
  }
  const table = networkTable([
    ['::ffff:10.1.0.0/112', 'mapped'],
    ['::/0', 'any'],
  ]);
  if ('wrong' in table) return t.fail(table.wrong);
  t.is(table.find('10.1.2.3'), 'mapped');
  t.is(table.find('2001:db8::1'), 'any');
  t.is(table.find('10.2.0.1'), undefined);
});
