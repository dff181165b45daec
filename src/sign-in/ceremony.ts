import type { FactorKind, FactorStrength } from '../factors/factor.ts';
import type { AssuranceLevel } from '../proofing/levels.ts';
import {
  type AuthenticationLevel,
  authenticationLevel,
  hasSecondFactor,
  identifies,
  kindsReaching,
  type Level,
  type LevelRules,
  type Proof,
  TOP_LEVEL,
} from './levels.ts';
import { barredFrom, STAFF_AAL, type StaffRefusal, type StaffStanding } from './staff-standing.ts';

/** What a portal demands of a sign-in, from its registration and its request. */
export interface Demand {
  /** Of its registration: no request talks it down. */
  readonly minimum: Level;
  /** It counts levels as a partner does, for whom each is a level of the identity as well. */
  readonly countsIdentity: boolean;
  /** The levels it names, the most wanted first; what it names that is no level of ours is not among them. */
  readonly levels: readonly Level[];
  /** It must have one of them (OpenID Connect Core 5.5.1.1); otherwise it would like one. */
  readonly essential: boolean;
  readonly maxAgeSeconds: number | undefined;
  /** The `prompt` parameter, split. */
  readonly prompts: readonly string[];
  /** The account's own sensitive pages: whatever second factor its person has is asked for, and no device spares it. */
  readonly asksOwner: boolean;
  /** A portal for members of staff, by its registration. */
  readonly staffOnly: boolean;
  /** The page where factors are bound: whoever has none yet must be able to get there. */
  readonly bindsFactors: boolean;
}

/** What the account asks of its own sign-ins. */
export interface AccountPolicy {
  readonly ial: AssuranceLevel;
  /** `when_demanded`: by a portal; `whenever_bound`: at each sign-in of somebody who has one; `always`. */
  readonly secondFactor: 'when_demanded' | 'whenever_bound' | 'always';
  readonly bound: readonly FactorKind[];
  /** Who opened their account with a key may have none. */
  readonly hasPassword: boolean;
  /** The password is older than the house lets passwords become. */
  readonly passwordIsOutdated: boolean;
}

/** What the circumstances ask for, with the names of the reasons. */
export interface RiskDemand {
  readonly verdict: 'allow' | 'ask_more' | 'refuse';
  readonly reasons: readonly string[];
}

/** Everything the next step of a sign-in depends on. */
export interface Ceremony {
  /** What the protocol stopped at: `login`, `select_account`, `choose_subject` or `consent`. */
  readonly prompt: string;
  /** Who was signed in when the request arrived. */
  readonly startedBy: string | undefined;
  /** Who it is by now: whoever has proven something for this request, else whose session this browser holds. */
  readonly person: string | undefined;
  /** The session is somebody else's than the portal asked for. */
  readonly expectsOther: boolean;
  /** The person has just said that they want to be somebody else. */
  readonly wantsSwitch: boolean;
  /** The person went on without the stronger sign-in the portal would have liked. */
  readonly waived: boolean;
  /** Proven for this very request, and in the session before it. */
  readonly here: readonly Proof[];
  readonly before: readonly Proof[];
  readonly demand: Demand;
  readonly account: AccountPolicy;
  readonly risk: RiskDemand;
  /** Undefined at portals for everybody. */
  readonly staff: StaffStanding | undefined;
  /** The factors of this house. */
  readonly offered: readonly { readonly kind: FactorKind; readonly strength: FactorStrength }[];
  readonly rules: LevelRules;
  /** Epoch seconds. */
  readonly now: number;
}

export type Refusal = 'session_changed' | 'unknown_prompt' | 'risk' | 'unreachable_level' | StaffRefusal;

export type Step =
  | { readonly state: 'identify' | 'continue_as' | 'renew_password' | 'choose_subject' | 'consent' | 'done' }
  | SecondFactorStep
  /** The identity is not proven well enough for this portal, however one signs in. */
  | { readonly state: 'prove_identity'; readonly ial: AssuranceLevel }
  | { readonly state: 'refuse'; readonly reason: Refusal };

export interface SecondFactorStep {
  readonly state: 'second_factor';
  /** Each of which would do by itself, bound or not. */
  readonly kinds: readonly FactorKind[];
  /** Who asks: the account's own policy, the circumstances, the portal; or the portal that would go on without. */
  readonly because: 'account' | 'risk' | 'portal' | 'wish';
  /** Whether trust in this browser would spare the question the next time; only then is it offered. */
  readonly mayTrust: boolean;
}

const PASSWORD: Proof = { factor: 'password', strength: 'knowledge', amr: ['pwd'], at: 0 };

/** A proof given for a request serves that request this long; a page left open does not. */
export const HERE_SECONDS = 600;

/**
 * What is still missing, in the order a citizen meets it. Pure: this function and its table of cases are the whole policy. The
 * protocol asks it before every code, also where no page is shown; each page renders one step, and every proof returns here.
 */
export function nextStep(ceremony: Ceremony): Step {
  const { prompt, person, startedBy, risk, staff } = ceremony;
  if (risk.verdict === 'refuse') return { state: 'refuse', reason: 'risk' };
  const barred = staff && barredFrom(staff, person !== undefined && !ceremony.wantsSwitch);
  if (barred) return { state: 'refuse', reason: barred };
  if (!isReachable(ceremony)) return { state: 'refuse', reason: 'unreachable_level' };
  if (prompt === 'choose_subject' || prompt === 'consent') {
    // Both belong to the person they were asked of: if another signed in meanwhile, the request is over.
    const isSame = person !== undefined && person === startedBy;
    return isSame ? { state: prompt } : { state: 'refuse', reason: 'session_changed' };
  }
  if (prompt !== 'login' && prompt !== 'select_account') return { state: 'refuse', reason: 'unknown_prompt' };
  return signInStep(ceremony);
}

function signInStep(ceremony: Ceremony): Step {
  const { prompt, person, startedBy, wantsSwitch, expectsOther } = ceremony;
  const provenHere = provenNow(ceremony).some(identifies);
  if (wantsSwitch || person === undefined) return { state: 'identify' };
  if (prompt === 'select_account' && !provenHere) return { state: 'continue_as' };
  if (expectsOther && !provenHere) return { state: 'identify' };
  if (!counted(ceremony).some(identifies)) return { state: 'identify' };
  // The session began in another window after this request had arrived: ask before using it.
  if (person !== startedBy && !provenHere) return { state: 'continue_as' };
  return (
    askedByAccount(ceremony) ??
    askedByOffice(ceremony) ??
    askedByHouse(ceremony) ??
    askedByPortal(ceremony) ?? { state: 'done' }
  );
}

/** Whether this house can serve what is demanded, whoever comes: an essential level out of reach is an error, never a lower one (C5). */
function isReachable(ceremony: Ceremony): boolean {
  const { demand, rules } = ceremony;
  if (demand.essential && demand.levels.length === 0) return false;
  return bestOf(ceremony) >= Math.max(rules.table[requiredLevel(demand)].aal, demand.staffOnly ? STAFF_AAL : 0);
}

/** What all factors of a house together are worth, by its list of them, which never changes: every step asks. */
const best = new WeakMap<Ceremony['offered'], { readonly weakCounts: boolean; readonly level: AuthenticationLevel }>();

function bestOf({ offered, rules: { weakCounts } }: Ceremony): AuthenticationLevel {
  const known = best.get(offered);
  if (known?.weakCounts === weakCounts) return known.level;
  const all = offered.map(({ kind, strength }): Proof => ({ factor: kind, strength, amr: [], at: 0 }));
  const level = authenticationLevel([PASSWORD, ...all], weakCounts);
  best.set(offered, { weakCounts, level });
  return level;
}

/** What was proven for this request and still counts. A screen let in by a phone is as good as the password behind the phone's session may be. */
export const provenNow = ({ here, now, account }: Ceremony): readonly Proof[] =>
  here.filter(({ at, factor }) => now - at <= HERE_SECONDS && !(account.passwordIsOutdated && factor === 'scan'));

const restsOnPassword = ({ factor }: Proof): boolean => factor === 'password' || factor === 'scan';

/** The level without which the portal gets nothing. */
export const requiredLevel = ({ minimum, essential, levels }: Demand): Level =>
  essential && levels.length > 0 ? (Math.max(minimum, Math.min(...levels)) as Level) : minimum;

/** The proofs that are young enough for what is asked: a new sign-in, a certain age, or the top level, which no session holds. */
export function counted(ceremony: Ceremony): readonly Proof[] {
  const { demand, account, now } = ceremony;
  const { maxAgeSeconds, prompts } = demand;
  // A session that rests on a password which has grown too old counts no more: its person signs in, and chooses another.
  const before = ceremony.before.filter((proof) => !(account.passwordIsOutdated && restsOnPassword(proof)));
  const here = provenNow(ceremony);
  if (prompts.includes('login') || maxAgeSeconds === 0 || requiredLevel(ceremony.demand) === TOP_LEVEL) return here;
  const young = maxAgeSeconds === undefined ? before : before.filter(({ at }) => now - at <= maxAgeSeconds);
  // The latest proof of a factor stands for it.
  const renewed = new Set(here.map(({ factor }) => factor));
  return [...young.filter(({ factor }) => !renewed.has(factor)), ...here];
}

/**
 * Asks for one more of these kinds. Who began with something else than the password and has bound none of them can still give the
 * password, if they have one.
 */
function askFor(ceremony: Ceremony, kinds: readonly FactorKind[], because: SecondFactorStep['because']): Step {
  const isUsable = kinds.some((kind) => ceremony.account.bound.includes(kind));
  const isGiven = counted(ceremony).some(({ factor }) => factor === 'password');
  if (!isUsable && !isGiven && ceremony.account.hasPassword) return { state: 'identify' };
  const mayTrust = because === 'account' && ceremony.account.secondFactor !== 'always' && isSparable(ceremony);
  return { state: 'second_factor', kinds, because, mayTrust };
}

/** What the account's own policy and the circumstances ask for, whatever the portal wants. */
function askedByAccount(ceremony: Ceremony): Step | undefined {
  const { account, risk, demand } = ceremony;
  const proofs = counted(ceremony);
  const hasAny = daily(ceremony).length > 0;
  const here = provenNow(ceremony);
  // Nobody is shut out by a question they cannot answer: what is left to the circumstances is to refuse.
  if (risk.verdict === 'ask_more' && hasAny && !here.some(isMore)) {
    return askFor(ceremony, othersThan(here, ceremony), 'risk');
  }
  if ((account.secondFactor === 'when_demanded' && !demand.asksOwner) || hasSecondFactor(proofs)) return undefined;
  const hasMore = hasAny && hasMoreThan(proofs, ceremony);
  if (account.secondFactor !== 'always' && (!hasMore || isSpared(ceremony))) return undefined;
  if (!hasMore && demand.bindsFactors) return undefined;
  return askFor(ceremony, othersThan(proofs, ceremony), 'account');
}

const othersThan = (proofs: readonly Proof[], { offered }: Ceremony): readonly FactorKind[] =>
  offered.flatMap(({ kind }) => (proofs.some(({ factor }) => factor === kind) ? [] : [kind]));

/** What the person would be asked for of an ordinary day: codes on paper are for the day when nothing else works. */
const daily = ({ account }: Ceremony): readonly FactorKind[] =>
  account.bound.filter((kind) => kind !== 'recovery_code');

/** Whether there is anything besides that the person could give: whoever has nothing but one certificate has given all. */
const hasMoreThan = (proofs: readonly Proof[], ceremony: Ceremony): boolean =>
  ceremony.account.hasPassword || daily(ceremony).some((kind) => !proofs.some(({ factor }) => factor === kind));

/** Anything but the password and the trust in a device. */
const isMore = ({ strength }: Proof): boolean => strength !== 'knowledge' && strength !== 'spared';

/** Whether trust in a device could spare the account's own question: up to level 2, and never on its sensitive pages. */
const isSparable = ({ demand }: Ceremony): boolean => !demand.asksOwner && requiredLevel(demand) <= 2;

const isSpared = (ceremony: Ceremony): boolean =>
  isSparable(ceremony) && [...ceremony.before, ...ceremony.here].some(({ strength }) => strength === 'spared');

function askedByOffice(ceremony: Ceremony): Step | undefined {
  if (!ceremony.demand.staffOnly) return undefined;
  const missing = kindsReaching(ceremony, counted(ceremony), STAFF_AAL);
  return missing && askFor(ceremony, missing, 'portal');
}

/** How well the identity must be proven for a level. */
export const identityFor = ({ demand, rules }: Ceremony, level: Level): AssuranceLevel =>
  demand.countsIdentity ? (Math.max(level, rules.table[level].ial) as AssuranceLevel) : rules.table[level].ial;

/** Whoever has just given a password that is too old chooses another, once all that guards the account is proven. */
function askedByHouse(ceremony: Ceremony): Step | undefined {
  const isUsed = provenNow(ceremony).some(({ factor }) => factor === 'password');
  return ceremony.account.passwordIsOutdated && isUsed ? { state: 'renew_password' } : undefined;
}

function askedByPortal(ceremony: Ceremony): Step | undefined {
  const required = requiredLevel(ceremony.demand);
  const needed = identityFor(ceremony, required);
  if (ceremony.account.ial < needed) return { state: 'prove_identity', ial: needed };
  const missing = kindsFor(ceremony, required);
  return missing === undefined ? wishOf(ceremony) : askFor(ceremony, missing, 'portal');
}

/** The kinds of which one more proof reaches the level; undefined where it is reached. */
function kindsFor(ceremony: Ceremony, level: Level): readonly FactorKind[] | undefined {
  const proofs = level === TOP_LEVEL ? provenNow(ceremony) : counted(ceremony);
  return kindsReaching(ceremony, proofs, ceremony.rules.table[level].aal);
}

/**
 * A level the portal would like and does not have, where the person has what it takes. Nobody is asked for it where no page may be
 * shown, or after they went on without.
 */
function wishOf(ceremony: Ceremony): Step | undefined {
  const { demand, account, waived } = ceremony;
  const own = daily(ceremony);
  if (waived || demand.prompts.includes('none')) return undefined;
  for (const level of demand.levels) {
    if (account.ial < identityFor(ceremony, level)) continue;
    const missing = kindsFor(ceremony, level);
    if (missing === undefined) return undefined;
    const usable = missing.filter((kind) => own.includes(kind));
    if (usable.length > 0) return { state: 'second_factor', kinds: usable, because: 'wish', mayTrust: false };
    if (level === TOP_LEVEL && canRenew(ceremony)) return { state: 'identify' };
  }
  return undefined;
}

/** Whether the top level is out of reach only because nothing that says who it is was proven for this request yet. */
function canRenew(ceremony: Ceremony): boolean {
  const { account, offered, rules, now } = ceremony;
  if (provenNow(ceremony).some(identifies)) return false;
  const own = offered.filter(({ kind }) => account.bound.includes(kind));
  const all = own.map(({ kind, strength }): Proof => ({ factor: kind, strength, amr: [], at: now }));
  return authenticationLevel([PASSWORD, ...all], rules.weakCounts) >= rules.table[TOP_LEVEL].aal;
}
