import { distanceKm, type Place } from './regions.ts';

/** Everything a sign-in is judged by; what is not known is undefined and weighs nothing. Times are epoch seconds. */
export interface RiskFacts {
  readonly now: number;
  /** Whether the person has signed in with this browser before. */
  readonly knownDevice: boolean;
  /** Where the address is, by the table of regions; undefined without a table. */
  readonly place: Place | undefined;
  /** The regions the person has signed in from, the newest first; empty for somebody who never has. */
  readonly earlier: readonly { readonly place: Place; readonly at: number }[];
  /** Above this speed nobody travels. */
  readonly travelKmPerHourMax: number;
  readonly badNetwork: boolean;
  /** Accounts are being tried one after the other from this address, its network, or everywhere. */
  readonly sprayInProgress: boolean;
  /** The password that was right is one that is known from breaches: whoever tries those in turn has found one. */
  readonly stuffingHit: boolean;
  /** Full years. */
  readonly age: number | undefined;
  readonly elderFrom: number;
  /** At this portal the person may act for a company, and has never done so. */
  readonly firstUseOfCompany: boolean;
}

export type RiskReason =
  | 'new_device'
  | 'new_region'
  | 'impossible_travel'
  | 'bad_network'
  | 'spray_in_progress'
  | 'stuffing_hit'
  | 'elder_account'
  | 'minor_account'
  | 'first_use_of_company';

export interface RiskVerdict {
  readonly verdict: 'allow' | 'ask_more' | 'refuse';
  readonly reasons: readonly RiskReason[];
}

const FULL_AGE = 18;
const HOUR_SECONDS = 3600;
/** Two cities of one province may share an exit of a carrier: nearer than this nobody has travelled. */
const NEAR_KM = 100;

/**
 * What the circumstances of a right proof ask for, with the names of the reasons. Pure: this function and its table of cases are the whole judgement.
 *
 * A known device is never refused, and asked for more only after what nobody can have done: whoever is locked out of their own browser learns to
 * click through everything. On a new one, every reason beside its being new asks for more, and two of the grave ones together refuse; the
 * other ways in stay open to whoever is refused (D8).
 */
export function assessRisk(facts: RiskFacts): RiskVerdict {
  const reasons = reasonsOf(facts);
  return { verdict: verdictOf(reasons, facts.knownDevice), reasons };
}

const GRAVE: ReadonlySet<RiskReason> = new Set(['impossible_travel', 'bad_network', 'stuffing_hit']);
const GRAVE_TO_REFUSE = 2;

function verdictOf(reasons: readonly RiskReason[], knownDevice: boolean): RiskVerdict['verdict'] {
  const grave = reasons.filter((reason) => GRAVE.has(reason)).length;
  if (knownDevice) return grave > 0 ? 'ask_more' : 'allow';
  if (grave >= GRAVE_TO_REFUSE) return 'refuse';
  return reasons.some((reason) => reason !== 'new_device') ? 'ask_more' : 'allow';
}

function reasonsOf(facts: RiskFacts): readonly RiskReason[] {
  const { knownDevice, place, earlier, age } = facts;
  const isElsewhere =
    place !== undefined && earlier.length > 0 && earlier.every((one) => one.place.region !== place.region);
  const found: readonly (readonly [RiskReason, boolean])[] = [
    ['new_device', !knownDevice],
    ['new_region', isElsewhere],
    ['impossible_travel', travelsTooFast(facts)],
    ['bad_network', facts.badNetwork],
    ['spray_in_progress', !knownDevice && facts.sprayInProgress],
    ['stuffing_hit', facts.stuffingHit],
    ['elder_account', !knownDevice && age !== undefined && age >= facts.elderFrom],
    ['minor_account', !knownDevice && age !== undefined && age < FULL_AGE],
    ['first_use_of_company', !knownDevice && facts.firstUseOfCompany],
  ];
  return found.flatMap(([reason, holds]) => (holds ? [reason] : []));
}

/** Compared with the newest sign-in alone: from there the person has come. */
function travelsTooFast({ place, earlier, now, travelKmPerHourMax }: RiskFacts): boolean {
  const last = earlier[0];
  if (place === undefined || last === undefined) return false;
  const km = distanceKm(last.place, place);
  const hours = Math.max(0, now - last.at) / HOUR_SECONDS;
  return km > NEAR_KM && km > travelKmPerHourMax * hours;
}
