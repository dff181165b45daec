import { isIP } from 'node:net';
import { z } from 'zod';
import { choice, flag, list, whole } from './fields.ts';

const DAY_SECONDS = 86_400;
const COUNT_MAX = 1_000_000;

/** What the watch can do when a rule fires, by what the rule is about: only a person can be told, challenged, locked or signed out. */
const RESPONSES = {
  person: ['alert', 'notify', 'challenge', 'lock', 'end-sessions'],
  network: ['alert', 'challenge'],
  other: ['alert'],
} as const;

interface RuleTexts {
  readonly about: keyof typeof RESPONSES;
  readonly watches: string;
  readonly threshold: string;
  readonly window?: string;
  readonly windowSecondsMax?: number;
  readonly thresholdMax?: number;
}

const rule = (texts: RuleTexts) =>
  z.strictObject({
    enabled: flag(`Watches for ${texts.watches}.`),
    threshold: whole(1, texts.thresholdMax ?? COUNT_MAX, `${texts.threshold}.`),
    windowSeconds: whole(
      10,
      texts.windowSecondsMax ?? DAY_SECONDS,
      `${texts.window ?? 'The time within which these are counted'}.`,
    ),
    response: choice(
      RESPONSES[texts.about],
      'What is done beside the alert and the incident, which are always written.',
    ),
  });

const isNetwork = (value: string): boolean => {
  const [address = '', length, ...rest] = value.split('/');
  const bits = isIP(address) === 4 ? 32 : 128;
  return isIP(address) !== 0 && rest.length === 0 && /^\d{1,3}$/.test(length ?? '') && Number(length) <= bits;
};

const OFFICE_HOURS = /^([1-7]-[1-7] ([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d)?$/;

export const officeHours = (description: string) =>
  z
    .string()
    .regex(OFFICE_HOURS, 'must look like 1-5 08:00-20:00 (days 1 Monday to 7 Sunday, Beijing time), or be empty')
    .meta({ description });

export const officeNetworks = (description: string) =>
  list(
    z.string().max(50).refine(isNetwork, 'must be a network such as 10.1.0.0/16 or 2001:db8::/32'),
    100,
    description,
  );

export const watch = z.strictObject({
  operatorClass: choice(
    ['cii', 'central', 'other'],
    'Who operates this server, which decides how soon an incident is to be reported: critical infrastructure 1 h, a central organ 2 h, everybody else 4 h.',
  ),
  officeHours: officeHours('When administrators work, such as 1-5 08:00-20:00 in Beijing time; empty means always.'),
  officeNetworks: officeNetworks('Where administrators work; empty means anywhere.'),
  regionsFile: z.string().max(1024).meta({
    description:
      'A JSON file that tells which network is in which region, for impossible travel; empty leaves that rule without effect.',
  }),
  bruteForce: rule({
    about: 'person',
    watches: 'guessing at one account',
    threshold: 'Refused sign-ins on one account',
  }),
  passwordSpray: rule({
    about: 'network',
    watches: 'one network (IPv4 /24, IPv6 /48) that tries many accounts',
    threshold: 'Different accounts refused from one network',
  }),
  stuffingRatio: rule({
    about: 'other',
    watches: 'an unusual share of refused sign-ins over the whole house',
    threshold: 'Refused sign-ins before the share is looked at',
  }).extend({ ratioPercent: whole(1, 99, 'The share of refused sign-ins above which the rule fires.') }),
  refreshReuse: rule({
    about: 'person',
    watches: 'a spent refresh token that is presented again',
    threshold: 'Reuses for one person, or for one portal where the person is not known',
  }),
  codeReplay: rule({
    about: 'other',
    watches: 'an authorization code that is presented twice',
    threshold: 'Replays at one portal',
  }),
  newDeviceSensitiveScope: rule({
    about: 'person',
    watches: 'a new device that goes on to a portal with sensitive personal data',
    threshold: 'Such portals entered',
    window: 'How long after the sign-in it still counts as the same visit when the session is not known',
  }),
  impossibleTravel: rule({
    about: 'person',
    watches: 'two sign-ins of one person further apart than anybody travels',
    threshold: 'The speed in km/h above which nobody travels',
    thresholdMax: 100_000,
    window: 'How long before a sign-in the other one is looked for',
    windowSecondsMax: 7 * DAY_SECONDS,
  }),
  disabledAccountUse: rule({
    about: 'person',
    watches: 'sign-ins on an account that is disabled',
    threshold: 'Attempts on one disabled account',
  }),
  massRevealByPortal: rule({
    about: 'other',
    watches: 'a portal that is given the personal data of very many people',
    threshold: 'Different people released to one portal',
  }),
  massRevealByOperator: rule({
    about: 'other',
    watches: 'an operator who looks at the personal data of many people',
    threshold: 'Records one operator opened',
  }),
  recoveryEnumeration: rule({
    about: 'network',
    watches: 'one network that tries out registration or recovery',
    threshold: 'Refused registrations or recoveries from one network',
  }),
  mandateBulkUse: rule({
    about: 'person',
    watches: 'mandates that are used in bulk within a day of their acceptance',
    threshold: 'Portals one agent entered under such mandates',
  }),
  administratorUnusual: rule({
    about: 'other',
    watches: 'administration outside office hours or from outside the office networks',
    threshold: 'Such acts of one operator',
  }),
  clockDrift: rule({
    about: 'other',
    watches: 'steps of the clock of the machine',
    threshold: 'The size of a step in milliseconds from which it counts',
    thresholdMax: 86_400_000,
    window: 'The time over which repeated steps belong together',
  }),
  feedDown: rule({
    about: 'other',
    watches: 'a feed that fails and does not recover',
    threshold: 'Outages of one feed',
    window: 'How long a feed may be down',
  }),
  ledgerMismatch: rule({
    about: 'other',
    watches: 'missing or altered entries of the ledger',
    threshold: 'Such findings',
  }),
  sealedDataAltered: rule({
    about: 'other',
    watches: 'sealed values that do not open',
    threshold: 'Such values',
  }),
  rowAltered: rule({
    about: 'other',
    watches: 'rows that decide who may do what and do not match their seal',
    threshold: 'Such rows',
  }),
});
