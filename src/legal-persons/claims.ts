import type { BlindIndex } from '../crypto/blind-index.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { holdActive } from '../people/active-person.ts';
import type { PersonProfile } from '../people/person.ts';
import { personDetailsSchema } from '../people/person-details.ts';
import type { Persons } from '../people/persons.ts';
import type {
  LegalPersonRegister,
  LegalPersonVerdict,
  RepresentativeClaim,
} from '../proofing/legal-person-register.ts';
import type { Counters } from '../storage/counters.ts';
import type { Database } from '../storage/database.ts';
import type { ActingEnds } from './acting-ends.ts';
import type { Visit } from './by.ts';
import { type Companies, companyOf, type LegalPerson } from './companies.ts';
import type { Notify } from './notices.ts';
import type { Posts } from './posts.ts';
import { ownRepresentativeKey, type TakeoverOutcome, takeOver } from './takeover.ts';
import { parseUscc, type Uscc, type UsccRefusal } from './uscc.ts';

/** What somebody types to take over a company; who they are is known from their session. */
export interface ClaimRequest {
  readonly personId: string;
  readonly uscc: string;
  readonly name: string;
  readonly visit?: Visit;
}

/**
 * `mismatch` and `not_representative` are told apart for the ledger alone: pages say one thing, so that nobody finds out here who
 * represents a company. `unsupported`: this kind goes to manual review.
 */
export type ClaimRefusal =
  | Exclude<LegalPersonVerdict, 'match'>
  | 'code'
  | 'name'
  | 'level_too_low'
  | 'no_document'
  | 'too_many'
  | 'suspended';

/** What can be seen of a form without looking anything up. `code` has its reason in `codeRefusal`. */
export interface ClaimMistake {
  readonly reason: 'code' | 'name';
  readonly codeRefusal?: UsccRefusal;
}

/** `mistakes`: everything that is wrong with what was typed, the first of it in `reason`. */
export interface RefusedClaim<Reason> {
  readonly ok: false;
  readonly reason: Reason;
  readonly mistakes?: readonly (ClaimMistake | { readonly reason: Reason })[];
}

export type ClaimOutcome =
  | { readonly ok: true; readonly legalPerson: LegalPerson; readonly way: TakeoverOutcome['outcome'] }
  | RefusedClaim<ClaimRefusal>;

/** How well who claims must be proven: matched with an authority. */
export const CLAIM_IAL_MIN = 2;
const DAY_SECONDS = 86_400;

export interface ClaimParts {
  readonly database: Database;
  readonly index: BlindIndex;
  readonly ledger: Ledger;
  readonly persons: Pick<Persons, 'profile'>;
  readonly register: LegalPersonRegister;
  readonly counters: Counters;
  readonly companies: Companies;
  readonly posts: Posts;
  readonly ends: ActingEnds;
  readonly notify: Notify;
  readonly settings: { readonly claimsPerPersonDaily: number; readonly organisationCode: 'warn' | 'refuse' };
}

export type Claimed =
  | {
      readonly ok: true;
      readonly uscc: Uscc;
      readonly name: string;
      /** Undefined for somebody who gave no plaintext identity: no register can match them. */
      readonly representative: RepresentativeClaim | undefined;
    }
  | RefusedClaim<ClaimRefusal>;

/** The mistakes in what was typed, in the order of the form. Pure. */
export function claimMistakes(
  { uscc, name }: Pick<ClaimRequest, 'uscc' | 'name'>,
  settings: Pick<ClaimParts['settings'], 'organisationCode'>,
): readonly ClaimMistake[] {
  const code = parseUscc(uscc, settings);
  const isNamed = personDetailsSchema.shape.name.safeParse(name).success;
  return [
    ...(code.ok ? [] : [{ reason: 'code', codeRefusal: code.reason } as const]),
    ...(isNamed ? [] : [{ reason: 'name' } as const]),
  ];
}

/** What every claim must hold to, whoever judges it: the person's level, the form of code and name, and how often one may try. */
export async function readClaim(
  { persons, counters, settings }: Pick<ClaimParts, 'persons' | 'counters' | 'settings'>,
  { personId, uscc, name }: ClaimRequest,
): Promise<Claimed> {
  const code = parseUscc(uscc, settings);
  const read = personDetailsSchema.shape.name.safeParse(name);
  if (!code.ok || !read.success) {
    const mistakes = claimMistakes({ uscc, name }, settings);
    return { ok: false, reason: mistakes[0]!.reason, mistakes };
  }
  const tries = await counters.take(`company-claim:${personId}`, DAY_SECONDS);
  if (tries > settings.claimsPerPersonDaily) return { ok: false, reason: 'too_many' };
  const profile = await persons.profile(personId);
  if (profile === undefined || profile.status !== 'active' || profile.ial < CLAIM_IAL_MIN) {
    return { ok: false, reason: 'level_too_low' };
  }
  return { ok: true, uscc: code.uscc, name: read.data, representative: representativeOf(profile) };
}

function representativeOf({ name, document: { type, number } }: PersonProfile): RepresentativeClaim | undefined {
  return name === undefined || type === 'net_number' ? undefined : { name, documentType: type, documentNumber: number };
}

/** Claims by the legal representative, judged by the register at once. */
export function createClaims(parts: ClaimParts): { claim(request: ClaimRequest): Promise<ClaimOutcome> } {
  const { database, index, ledger, register, companies, posts, ends, notify } = parts;

  const refuse = async ({ personId, visit }: ClaimRequest, reason: ClaimRefusal): Promise<ClaimOutcome> => {
    const refusal = { type: 'legal-person.claim-refused', outcome: 'failure', details: { reason } } as const;
    await ledger.record({ ...visit, ...refusal, actor: personId, personId });
    return { ok: false, reason };
  };

  return {
    async claim(request) {
      const read = await readClaim(parts, request);
      if (!read.ok) {
        // What was mistyped, or comes after the limit, is not worth an entry each: nobody looked anything up for it.
        if (read.reason === 'level_too_low') await refuse(request, read.reason);
        return read;
      }
      const { uscc, name, representative } = read;
      if (representative === undefined) return refuse(request, 'no_document');
      const verdict = await register.check({ uscc, name, representative });
      if (verdict !== 'match') return refuse(request, verdict);

      const { personId, visit } = request;
      const by = { personId, ...(visit === undefined ? {} : { visit }) };
      const taken = await database.write(async (tx) => {
        if (!(await holdActive(tx, database.engine, personId))) return undefined;
        const { row } = await companies.ensure(tx, { uscc, name, origin: 'claim' }, by);
        // What staff has stopped, no register opens again.
        if (row.status === 'suspended' && row.suspended_cause === 'operator') return undefined;
        const representativeKey = ownRepresentativeKey(index, uscc, representative);
        const outcome = await takeOver(tx, { posts, ledger }, row, {
          personId,
          way: 'register',
          representativeKey,
          by,
        });
        if (outcome.outcome === 'replaced') await notify(tx, outcome.formerId, 'post_ended', { name });
        return { row: (await companies.find(tx, row.id))!, outcome };
      });
      if (taken === undefined) return refuse(request, 'suspended');
      if (taken.outcome.outcome === 'replaced') await ends.company(taken.row.id, 'representative_changed');
      return { ok: true, legalPerson: companyOf(taken.row), way: taken.outcome.outcome };
    },
  };
}
