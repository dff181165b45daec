import { readFileSync } from 'node:fs';
import type { FactorKind, FactorStrength } from '../../src/factors/factor.ts';
import { type Ceremony, nextStep } from '../../src/sign-in/ceremony.ts';
import { type Level, type LevelRules, levelOfAcr, type Proof } from '../../src/sign-in/levels.ts';
import type { StaffStanding } from '../../src/sign-in/staff-standing.ts';
import { statementOf } from '../../src/sign-in/statement.ts';

/** A row of docs/ceremony.md: a case, and what comes next in the words of the table. */
export interface TableRow {
  readonly situation: string;
  readonly ceremony: Ceremony;
  readonly next: string;
}

export const NOW = 1_800_000_000;

export const RULES: LevelRules = {
  table: { 1: { ial: 0, aal: 1 }, 2: { ial: 2, aal: 1 }, 3: { ial: 2, aal: 2 }, 4: { ial: 3, aal: 3 } },
  weakCounts: false,
};

interface Known {
  readonly kind: FactorKind;
  readonly strength: FactorStrength;
}

const KINDS: Readonly<Record<string, Known>> = {
  totp: { kind: 'totp', strength: 'possession' },
  token: { kind: 'otp_token', strength: 'cryptographic' },
  key: { kind: 'passkey', strength: 'cryptographic' },
  sms: { kind: 'sms_code', strength: 'weak' },
  email: { kind: 'email_code', strength: 'weak' },
  recovery: { kind: 'recovery_code', strength: 'possession' },
  cert: { kind: 'certificate', strength: 'cryptographic' },
};
const SETS: Readonly<Record<string, string>> = {
  any: 'totp token key sms email recovery cert',
  strong: 'totp token key recovery cert',
  crypto: 'token key cert',
};
const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

const wordOf = (kind: FactorKind): string => Object.keys(KINDS).find((word) => KINDS[word]?.kind === kind) ?? kind;

const known = (word: string): Known => {
  const found = KINDS[word];
  if (found === undefined) throw new Error(`the table names no factor ${word}`);
  return found;
};

const parts = (cell: string): readonly string[] =>
  cell
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);

function proofOf(text: string): { readonly here: boolean; readonly proof: Proof } {
  const [name = '', age = '0s'] = text.replace('+', '').split(' ');
  const at = NOW - Number(age.slice(0, -1)) * (SECONDS[age.at(-1) ?? ''] ?? Number.NaN);
  if (Number.isNaN(at)) throw new Error(`the table knows no time ${age}`);
  const here = text.startsWith('+');
  if (name === 'pwd') return { here, proof: { factor: 'password', strength: 'knowledge', amr: ['pwd'], at } };
  if (name === 'scan') return { here, proof: { factor: 'scan', strength: 'possession', amr: ['mca'], at } };
  if (name === 'device') return { here, proof: { factor: 'trusted_device', strength: 'spared', amr: [], at } };
  const { kind, strength } = known(name.replace('!', ''));
  return { here, proof: { factor: kind, strength, amr: name.endsWith('!') ? ['mfa'] : [], at } };
}

type Changes = { [Key in keyof Ceremony]?: unknown };

const WHO: Readonly<Record<string, (rest: readonly string[]) => Changes>> = {
  switch: () => ({ wantsSwitch: true }),
  other: () => ({ expectsOther: true }),
};

const nobodyOr = (name: string | undefined): string | undefined => (name === 'nobody' ? undefined : name);

function whoOf(cell: string): Changes {
  return Object.assign(
    {},
    ...parts(cell).map((part) => {
      const [word = '', from, starter] = part.split(' ');
      if (WHO[word]) return WHO[word]([]);
      return { person: nobodyOr(word), startedBy: from === 'from' ? nobodyOr(starter) : nobodyOr(word) };
    }),
  );
}

function demandOf(cell: string): { readonly prompt?: string; readonly demand: Ceremony['demand'] } {
  const found: Record<string, readonly string[]> = Object.fromEntries(
    parts(cell).map((part) => {
      const [word = '', ...rest] = part.split(' ');
      return [word, rest];
    }),
  );
  const unknown = Object.keys(found).find(
    (word) => !['min', 'acr', 'must', 'max', 'partner', 'prompt', 'binds', 'owner', 'office', 'at'].includes(word),
  );
  if (unknown !== undefined) throw new Error(`the table knows no demand ${unknown}`);
  const levels = (found.must ?? found.acr ?? []).flatMap((level) => levelOfAcr(`urn:tongban:acr:${level}`) ?? []);
  return {
    ...(found.at ? { prompt: found.at[0] === '-' ? '' : (found.at[0] ?? '') } : {}),
    demand: {
      minimum: Number(found.min?.[0] ?? 1) as Level,
      countsIdentity: found.partner !== undefined,
      levels,
      essential: found.must !== undefined,
      maxAgeSeconds: found.max ? Number(found.max[0]) : undefined,
      prompts: found.prompt ?? [],
      bindsFactors: found.binds !== undefined,
      asksOwner: found.owner !== undefined,
      staffOnly: found.office !== undefined,
    },
  };
}

type Told = Pick<Ceremony, 'account' | 'risk' | 'waived' | 'offered' | 'rules'> & { readonly standing: StaffStanding };

function accountOf(cell: string): Told {
  let account: Ceremony['account'] = {
    ial: 2,
    secondFactor: 'when_demanded',
    bound: [],
    hasPassword: true,
    passwordIsOutdated: false,
  };
  let risk: Ceremony['risk'] = { verdict: 'allow', reasons: [] };
  let offered = Object.values(KINDS);
  let standing: StaffStanding = { office: 'open', isMember: false };
  let [waived, weakCounts] = [false, false];
  for (const part of parts(cell)) {
    const [word = '', ...rest] = part.split(' ');
    if (word === 'ial') account = { ...account, ial: Number(rest[0]) as Ceremony['account']['ial'] };
    else if (word === 'bound') account = { ...account, bound: rest.map((name) => known(name).kind) };
    else if (word === 'keyed') account = { ...account, hasPassword: false };
    else if (word === 'old') account = { ...account, passwordIsOutdated: true };
    else if (word === 'policy')
      account = { ...account, secondFactor: rest[0] === 'always' ? 'always' : 'whenever_bound' };
    else if (word === 'risk') risk = { verdict: rest[0] === 'more' ? 'ask_more' : 'refuse', reasons: ['new_device'] };
    else if (word === 'without')
      offered = offered.filter(({ kind }) => !rest.map((name) => known(name).kind).includes(kind));
    else if (word === 'waived') waived = true;
    else if (word === 'weak') weakCounts = true;
    else if (word === 'member') standing = { ...standing, isMember: true };
    else if (word === 'home') standing = { ...standing, office: 'outside_network' };
    else if (word === 'night') standing = { ...standing, office: 'outside_hours' };
    else throw new Error(`the table knows no account with ${word}`);
  }
  return { account, risk, waived, offered, standing, rules: { ...RULES, weakCounts } };
}

/** All rows of the table. Throws at a word it does not know: a mistyped case would prove nothing. */
export function tableRows(): readonly TableRow[] {
  const text = readFileSync(new URL('../../docs/ceremony.md', import.meta.url), 'utf8');
  const lines = text.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| Situation'));
  return lines.map((line) => {
    const [situation = '', who = '', proven = '', asked = '', account = '', next = ''] = line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim());
    const proofs = parts(proven).map(proofOf);
    const of = (here: boolean): readonly Proof[] => proofs.flatMap((one) => (one.here === here ? [one.proof] : []));
    const { standing, ...told } = accountOf(account);
    const wanted = demandOf(asked);
    const ceremony = {
      prompt: 'login',
      person: undefined,
      startedBy: undefined,
      expectsOther: false,
      wantsSwitch: false,
      here: of(true),
      before: of(false),
      now: NOW,
      ...whoOf(who),
      ...wanted,
      ...told,
      staff: wanted.demand.staffOnly ? standing : undefined,
    } as Ceremony;
    return { situation, ceremony, next: expanded(next) };
  });
}

/** `any`, `strong` and `crypto` as the kinds they stand for. */
const expanded = (next: string): string =>
  next
    .split(' ')
    .map((word) => SETS[word] ?? word)
    .join(' ');

/** What comes next, in the words of the table. */
export function nextInWords(ceremony: Ceremony): string {
  const step = nextStep(ceremony);
  switch (step.state) {
    case 'second_factor':
      return [step.because, ...step.kinds.map(wordOf), ...(step.mayTrust ? ['trust'] : [])].join(' ');
    case 'prove_identity':
      return `prove ${step.ial}`;
    case 'refuse':
      return `refuse ${step.reason}`;
    case 'done':
      return `done ${statementOf(ceremony).level}`;
    default:
      return step.state;
  }
}
