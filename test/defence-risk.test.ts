import test from 'ava';
import type { Place } from '../src/defence/regions.ts';
import { assessRisk, type RiskFacts } from '../src/defence/risk.ts';

const HANGZHOU: Place = { region: '杭州', latitude: 30.25, longitude: 120.17 };
const NINGBO: Place = { region: '宁波', latitude: 29.87, longitude: 121.54 };
const URUMQI: Place = { region: '乌鲁木齐', latitude: 43.8, longitude: 87.6 };
const NEARBY: Place = { region: '萧山', latitude: 30.18, longitude: 120.26 };

const NOW = 1_800_000_000;
const HOUR = 3600;
const QUIET: RiskFacts = {
  now: NOW,
  knownDevice: true,
  place: HANGZHOU,
  earlier: [{ place: HANGZHOU, at: NOW - 24 * HOUR }],
  travelKmPerHourMax: 1000,
  badNetwork: false,
  sprayInProgress: false,
  stuffingHit: false,
  age: 40,
  elderFrom: 60,
  firstUseOfCompany: false,
};
const NEW = { knownDevice: false } as const;

const CASES: readonly (readonly [
  what: string,
  change: Partial<RiskFacts>,
  verdict: string,
  reasons: readonly string[],
])[] = [
  ['the usual browser at the usual place', {}, 'allow', []],
  ['without a table of regions', { place: undefined, earlier: [] }, 'allow', []],
  ['the usual browser in another city', { place: NINGBO }, 'allow', ['new_region']],
  ['the usual browser while a spray goes on', { sprayInProgress: true }, 'allow', []],
  ['an elder on the usual browser', { age: 83 }, 'allow', []],
  [
    'the usual browser, an hour later at the other end',
    { place: URUMQI, earlier: [{ place: HANGZHOU, at: NOW - HOUR }] },
    'ask_more',
    ['new_region', 'impossible_travel'],
  ],
  ['the usual browser out of a bad network', { badNetwork: true }, 'ask_more', ['bad_network']],
  ['the usual browser with a leaked password', { stuffingHit: true }, 'ask_more', ['stuffing_hit']],
  [
    'never refused on the usual browser',
    { badNetwork: true, stuffingHit: true, place: URUMQI, earlier: [{ place: HANGZHOU, at: NOW - HOUR }] },
    'ask_more',
    ['new_region', 'impossible_travel', 'bad_network', 'stuffing_hit'],
  ],
  ['a new browser at the usual place', NEW, 'allow', ['new_device']],
  ['a new browser, the first sign-in ever', { ...NEW, earlier: [] }, 'allow', ['new_device']],
  ['a new browser in another city', { ...NEW, place: NINGBO }, 'ask_more', ['new_device', 'new_region']],
  [
    'a new browser in a city visited before',
    {
      ...NEW,
      place: NINGBO,
      earlier: [
        { place: HANGZHOU, at: NOW - 24 * HOUR },
        { place: NINGBO, at: NOW - 999 * HOUR },
      ],
    },
    'allow',
    ['new_device'],
  ],
  [
    'a new browser while a spray goes on',
    { ...NEW, sprayInProgress: true },
    'ask_more',
    ['new_device', 'spray_in_progress'],
  ],
  ['a new browser with a leaked password', { ...NEW, stuffingHit: true }, 'ask_more', ['new_device', 'stuffing_hit']],
  ['a new browser out of a bad network', { ...NEW, badNetwork: true }, 'ask_more', ['new_device', 'bad_network']],
  ['a new browser of an elder', { ...NEW, age: 60 }, 'ask_more', ['new_device', 'elder_account']],
  ['a new browser of somebody a year younger', { ...NEW, age: 59 }, 'allow', ['new_device']],
  ['a new browser of a minor', { ...NEW, age: 17 }, 'ask_more', ['new_device', 'minor_account']],
  ['a new browser on the eighteenth birthday', { ...NEW, age: 18 }, 'allow', ['new_device']],
  ['a new browser of somebody whose age is not known', { ...NEW, age: undefined }, 'allow', ['new_device']],
  [
    'a new browser, and a company for the first time',
    { ...NEW, firstUseOfCompany: true },
    'ask_more',
    ['new_device', 'first_use_of_company'],
  ],
  [
    'a leaked password out of a bad network',
    { ...NEW, badNetwork: true, stuffingHit: true },
    'refuse',
    ['new_device', 'bad_network', 'stuffing_hit'],
  ],
  [
    'a leaked password, an hour later at the other end',
    { ...NEW, stuffingHit: true, place: URUMQI, earlier: [{ place: HANGZHOU, at: NOW - HOUR }] },
    'refuse',
    ['new_device', 'new_region', 'impossible_travel', 'stuffing_hit'],
  ],
  [
    'by plane overnight',
    { place: URUMQI, earlier: [{ place: HANGZHOU, at: NOW - 6 * HOUR }] },
    'allow',
    ['new_region'],
  ],
  ['next door at the same moment', { place: NEARBY, earlier: [{ place: HANGZHOU, at: NOW }] }, 'allow', ['new_region']],
  [
    'a clock that went back is no journey through time',
    { earlier: [{ place: HANGZHOU, at: NOW + HOUR }] },
    'allow',
    [],
  ],
];

for (const [what, change, verdict, reasons] of CASES)
  test(`risk: ${what}`, (t) =>
    t.deepEqual(assessRisk({ ...QUIET, ...change }), { verdict, reasons: [...reasons] } as never));

test('D8 nothing refuses a browser the person has used', (t) => {
  const worst: RiskFacts = {
    ...QUIET,
    place: URUMQI,
    earlier: [{ place: HANGZHOU, at: NOW }],
    badNetwork: true,
    sprayInProgress: true,
    stuffingHit: true,
    age: 90,
    firstUseOfCompany: true,
  };
  t.is(assessRisk(worst).verdict, 'ask_more');
  t.is(assessRisk({ ...worst, ...NEW }).verdict, 'refuse');
});
