import { createSecretKey } from 'node:crypto';
import type { Logger } from 'pino';
import type { House } from './app.ts';
import type { Config } from './config/schema.ts';
import type { BlindIndex } from './crypto/blind-index.ts';
import type { Sealer } from './crypto/sealing.ts';
import { readPrivateFile } from './crypto/sm2-key-file.ts';
import type { Notices } from './delivery/notices.ts';
import type { DeliveryHandler } from './delivery/outbox-contract.ts';
import type { Ledger } from './ledger/ledger.ts';
import type { Acting, ActingEnded } from './legal-persons/acting.ts';
import { createActingEnds } from './legal-persons/acting-ends.ts';
import { createActing } from './legal-persons/acting-subjects.ts';
import { createCompanies } from './legal-persons/companies.ts';
import { COMPANY_NOTICE_TOPIC } from './legal-persons/company-notices.ts';
import { createLeaving } from './legal-persons/leaving.ts';
import { createLegalPersons, type LegalPersons } from './legal-persons/legal-persons.ts';
import { createMandates, type Mandates } from './legal-persons/mandates.ts';
import { loadMatters, type Matters } from './legal-persons/matters.ts';
import type { LegalNotice, Notify } from './legal-persons/notices.ts';
import { claimHoldings, mandateHoldings, postHoldings } from './legal-persons/person-holdings.ts';
import { createPosts } from './legal-persons/posts.ts';
import { createRegisterNotices, type NoticeOutcome, type RegisterNotice } from './legal-persons/register-notice.ts';
import type { Holdings, Leaving } from './people/lifecycle/holdings.ts';
import type { Persons } from './people/persons.ts';
import type { LegalPersonRegister } from './proofing/legal-person-register.ts';
import { Fault } from './shared/fault.ts';
import type { Database } from './storage/database.ts';
import { startNightlyJob } from './storage/nightly-job.ts';
import { createSqlCounters } from './storage/sql-counters.ts';

/** Legal persons, mandates, and for whom people act. */
export interface LegalDoors {
  readonly legalPersons: LegalPersons;
  readonly mandates: Mandates;
  readonly acting: Acting;
  /** What ends before an account may, and what goes over with one. */
  readonly leaving: Leaving;
  readonly legalHoldings: readonly Holdings[];
  readonly matters: Matters;
  /** Takes a signed notice of the register; undefined where no secret is shared with it. */
  readonly registerNotice: ((received: RegisterNotice) => Promise<NoticeOutcome>) | undefined;
  /** What the outbox does with notices to whole companies, for the one process that delivers. */
  readonly companyDelivery: { readonly handlers: Readonly<Record<string, DeliveryHandler>> };
  /** What time does to mandates and evidence; each call works on so many rows at most. */
  readonly legalSweeps: readonly ((limit: number) => Promise<number>)[];
}

export interface LegalSources {
  readonly config: Config;
  readonly database: Database;
  readonly sealer: Sealer;
  readonly index: BlindIndex;
  readonly ledger: Ledger;
  readonly persons: Persons;
  readonly register: LegalPersonRegister | undefined;
  readonly notices: Notices;
  /** Ends what a mandate or a post has opened at portals. */
  readonly ended: ActingEnded;
}

/** Without a register every claim goes to manual review, and nothing is re-checked. */
const NO_REGISTER: LegalPersonRegister = {
  name: 'none',
  check: async () => 'unsupported',
  statusOf: async () => ({ state: 'unknown' }),
};

/** Builds the room of legal persons. Throws `Fault('internal')` for a catalogue of matters, or a secret, that cannot be used. */
export function createLegalDoors({ register = NO_REGISTER, ended, notices, ...sources }: LegalSources): LegalDoors {
  const { config, database, ledger } = sources;
  const matters = loadMatters(config.legalPersons.mattersFile);
  const parts = {
    ...sources,
    register,
    matters,
    settings: config.legalPersons,
    // Counted in SQL: the limit must outlive a restart and hold on every node.
    counters: createSqlCounters(database),
    companies: createCompanies(sources),
    posts: createPosts({ engine: database.engine, ledger }),
    ends: createActingEnds(database, ended),
    notify: notifyBy(notices),
  };
  const legalPersons = createLegalPersons(parts);
  const mandates = createMandates(parts);
  return {
    legalPersons,
    mandates,
    acting: createActing(parts),
    leaving: createLeaving({ ...parts, mandates, claims: legalPersons }),
    legalHoldings: [postHoldings(parts.companies), mandateHoldings(database.engine), claimHoldings],
    matters,
    registerNotice: noticesFor(legalPersons, config.legalPersons.registerSecretFile),
    companyDelivery: { handlers: { [COMPANY_NOTICE_TOPIC]: legalPersons.tellEveryone } },
    legalSweeps: [mandates.expireDue, mandates.tellWards, legalPersons.sweepEvidence],
  };
}

const SECRET_CHARACTERS_MIN = 32;

function noticesFor(legalPersons: LegalPersons, secretFile: string): LegalDoors['registerNotice'] {
  if (secretFile === '') return undefined;
  const secret = readPrivateFile(secretFile, 'The secret for notices of the legal-person register');
  if (secret.length < SECRET_CHARACTERS_MIN) {
    throw new Fault('internal', `${secretFile} must hold at least ${SECRET_CHARACTERS_MIN} characters.`);
  }
  return createRegisterNotices(legalPersons, createSecretKey(Buffer.from(secret)));
}

/** Has all companies looked up in the register each night, by whichever node comes first; nothing where there is no register. */
export function runCompanyNights(
  { config, database, registers, legalPersons }: Pick<House, 'config' | 'database' | 'registers' | 'legalPersons'>,
  log: Logger,
  isOurs: () => boolean,
): { readonly stop: () => Promise<void> } {
  if (registers.legalPersons === undefined) return { stop: async () => {} };
  return startNightlyJob({
    database,
    job: legalPersons.job,
    isOurs,
    window: config.recheck.window,
    onFault: (error) => log.error({ err: error }, 'the nightly look at companies broke off and is tried again'),
  });
}

const TEMPLATES = {
  mandate_invited: 'mandate-invited',
  mandate_accepted: 'mandate-changed',
  mandate_declined: 'mandate-changed',
  mandate_suspended: 'mandate-changed',
  mandate_resumed: 'mandate-changed',
  mandate_revoked: 'mandate-ended',
  mandate_expired: 'mandate-ended',
  mandate_renewed: 'mandate-changed',
  ward_grows_up: 'ward-grows-up',
  post_appointed: 'post-changed',
  post_ended: 'post-changed',
  company_suspended: 'company-stopped',
  company_resumed: 'company-resumed',
  claim_approved: 'claim-approved',
  claim_rejected: 'claim-rejected',
} as const satisfies Record<LegalNotice, string>;

const notifyBy =
  (notices: Notices): Notify =>
  (tx, personId, notice, { name, asPrincipal = false }) =>
    // Who is acted for did not lose the right to act, whatever ended.
    notices.tell(tx, personId, asPrincipal ? 'mandate-changed' : TEMPLATES[notice], { company: name });
