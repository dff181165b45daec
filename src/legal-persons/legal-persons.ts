import type { BlindIndex } from '../crypto/blind-index.ts';
import type { Sealer } from '../crypto/sealing.ts';
import type { DeliveryHandler } from '../delivery/outbox-contract.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { personDetailsSchema } from '../people/person-details.ts';
import type { Persons } from '../people/persons.ts';
import type { LegalPersonRegister } from '../proofing/legal-person-register.ts';
import type { Counters } from '../storage/counters.ts';
import type { Database } from '../storage/database.ts';
import type { ActingEnds } from './acting-ends.ts';
import { type ActingUseRecord, listUses, type UsesOf } from './acting-uses.ts';
import { type Appointments, createAppointments } from './appointments.ts';
import type { By } from './by.ts';
import { type ClaimReviews, createClaimReviews } from './claim-reviews.ts';
import { type ClaimOutcome, type ClaimRequest, createClaims } from './claims.ts';
import { type Companies, companyOf, type LegalPerson, type LegalPersonProfile } from './companies.ts';
import { companyNoticeHandler } from './company-notices.ts';
import type { Notify } from './notices.ts';
import type { Post, Posts } from './posts.ts';
import { createStanding, type Standing } from './standing.ts';
import { resumeCompany, suspendCompany } from './suspension.ts';
import { parseUscc, type Uscc, type UsccRefusal, type UsccWarning } from './uscc.ts';

export type AddCompanyOutcome =
  | { readonly ok: true; readonly legalPerson: LegalPerson; readonly warnings: readonly UsccWarning[] }
  | { readonly ok: false; readonly reason: 'code' | 'name' | 'exists'; readonly codeRefusal?: UsccRefusal };

/** `unchanged`: it stands so already. */
export type CompanyChange = 'changed' | 'unchanged' | 'unknown';

/** Legal persons (法人) and who stands for them. */
export interface LegalPersons extends Appointments, Standing, ClaimReviews {
  /** Enters a legal person nobody stands for yet. One code is entered once, also between parallel calls and nodes. */
  add(
    company: { readonly uscc: string; readonly name: string; readonly origin: string },
    by: By,
  ): Promise<AddCompanyOutcome>;
  /** Takes it over as its legal representative, judged by the register at once. */
  claim(request: ClaimRequest): Promise<ClaimOutcome>;
  find(id: string): Promise<LegalPerson | undefined>;
  findByUscc(uscc: Uscc): Promise<LegalPerson | undefined>;
  profile(id: string): Promise<LegalPersonProfile | undefined>;
  /** The newest first, in pages. */
  list(page?: { readonly before?: string; readonly limit?: number }): Promise<readonly LegalPersonProfile[]>;
  /** Posts that have not ended: of a company, of a person. */
  postsOf(of: { readonly legalPersonId: string } | { readonly personId: string }): Promise<readonly Post[]>;
  /** Stops a legal person for a reason of staff. */
  suspend(id: string, by: By, reason: string): Promise<CompanyChange>;
  /** Takes a suspension back, with what it had suspended. */
  resume(id: string, by: By, reason: string): Promise<CompanyChange>;
  /** Who acted for a company or a person, when, at which portal. The newest first. */
  uses(of: UsesOf, page?: { readonly before?: string; readonly limit?: number }): Promise<readonly ActingUseRecord[]>;
  /** Delivers what `COMPANY_NOTICE_TOPIC` holds. */
  readonly tellEveryone: DeliveryHandler;
}

export interface LegalPersonParts {
  readonly database: Database;
  readonly sealer: Sealer;
  readonly index: BlindIndex;
  readonly ledger: Ledger;
  readonly persons: Persons;
  readonly counters: Counters;
  readonly register: LegalPersonRegister;
  readonly companies: Companies;
  readonly posts: Posts;
  readonly ends: ActingEnds;
  readonly notify: Notify;
  readonly settings: {
    readonly organisationCode: 'warn' | 'refuse';
    readonly administratorsMax: number;
    readonly claimsPerPersonDaily: number;
    readonly recheckPerSecond: number;
    readonly evidenceFileBytesMax: number;
    readonly evidenceKeptDays: number;
  };
}

export function createLegalPersons(parts: LegalPersonParts): LegalPersons {
  const { database, ledger, companies, posts, ends, notify, settings } = parts;

  return {
    async add({ uscc, name, origin }, by) {
      const code = parseUscc(uscc, settings);
      if (!code.ok) return { ok: false, reason: 'code', codeRefusal: code.reason };
      const read = personDetailsSchema.shape.name.safeParse(name);
      if (!read.success) return { ok: false, reason: 'name' };
      const { row, added } = await database.write((tx) =>
        companies.ensure(tx, { uscc: code.uscc, name: read.data, origin }, by),
      );
      return added
        ? { ok: true, legalPerson: companyOf(row), warnings: code.warnings }
        : { ok: false, reason: 'exists' };
    },

    async find(id) {
      const row = await companies.find(database, id);
      return row && companyOf(row);
    },
    async findByUscc(uscc) {
      const row = await companies.findByUscc(database, uscc);
      return row && companyOf(row);
    },
    async profile(id) {
      const row = await companies.find(database, id);
      return row && companies.profileOf(row);
    },
    list: async (page = {}) => (await companies.list(page)).map(companies.profileOf),
    postsOf: (of) =>
      'legalPersonId' in of ? posts.ofCompany(database, of.legalPersonId) : posts.ofPerson(database, of.personId),

    async suspend(id, by, reason) {
      const outcome = await database.write(async (tx): Promise<CompanyChange> => {
        const row = await companies.lock(tx, id);
        if (row === undefined) return 'unknown';
        return (await suspendCompany(tx, ledger, row, { cause: 'operator', by, reason })) ? 'changed' : 'unchanged';
      });
      if (outcome === 'changed') await ends.company(id, 'suspended_by_operator');
      return outcome;
    },

    resume: (id, by, reason) =>
      database.write(async (tx): Promise<CompanyChange> => {
        const row = await companies.lock(tx, id);
        if (row === undefined) return 'unknown';
        return (await resumeCompany(tx, ledger, row, by, reason)) ? 'changed' : 'unchanged';
      }),

    uses: (of, page) => listUses(database, of, page),
    tellEveryone: companyNoticeHandler(database, companies, notify),
    ...createClaims(parts),
    ...createClaimReviews(parts),
    ...createAppointments({ ...parts, administratorsMax: settings.administratorsMax }),
    ...createStanding({ ...parts, perSecond: settings.recheckPerSecond }),
  };
}
