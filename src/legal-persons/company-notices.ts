import { enqueue } from '../delivery/outbox.ts';
import type { DeliveryHandler } from '../delivery/outbox-contract.ts';
import type { Database, Transaction } from '../storage/database.ts';
import type { Companies } from './companies.ts';
import type { LegalNotice, Notify } from './notices.ts';

/** Deliveries that tell everybody who stands or acts for a company. */
export const COMPANY_NOTICE_TOPIC = 'company-notice';

const PAGE = 100;
const POSTS = `SELECT DISTINCT person_id AS id FROM legal_person_posts
  WHERE legal_person_id = $1 AND status <> 'ended' AND person_id > $2 ORDER BY person_id LIMIT ${PAGE}`;
const AGENTS = `SELECT DISTINCT agent_person_id AS id FROM mandates
  WHERE legal_person_id = $1 AND status IN ('active', 'suspended') AND agent_person_id > $2 ORDER BY agent_person_id LIMIT ${PAGE}`;
const AGENT_COMPANIES = `SELECT DISTINCT o.person_id AS id FROM mandates m
  JOIN legal_person_posts o ON o.legal_person_id = m.agent_legal_person_id AND o.status <> 'ended'
  WHERE m.legal_person_id = $1 AND m.status IN ('active', 'suspended') AND o.person_id > $2 ORDER BY o.person_id LIMIT ${PAGE}`;
const GROUPS = [POSTS, AGENTS, AGENT_COMPANIES] as const;

interface CompanyNotice {
  readonly legalPersonId: string;
  readonly notice: Extract<LegalNotice, `company_${string}`>;
}

/** Where a delivery goes on: in which group of people, and behind whom. */
interface Place {
  readonly group: number;
  readonly after: string;
}

export async function tellCompany(tx: Transaction, { legalPersonId, notice }: CompanyNotice): Promise<void> {
  await enqueueFrom(tx, { legalPersonId, notice }, { group: 0, after: '' });
}

const enqueueFrom = (tx: Transaction, notice: CompanyNotice, place: Place): Promise<string> =>
  enqueue(tx, {
    topic: COMPANY_NOTICE_TOPIC,
    payload: { ...notice, ...place, destination: notice.legalPersonId },
  });

/**
 * Tells one page of people and puts the next page into the outbox, in one transaction: a company with ten thousand agents neither
 * holds up the writers nor runs into the time limit of a delivery. Somebody may hear it twice after a crash, and nobody never.
 */
export function companyNoticeHandler(
  database: Database,
  companies: Pick<Companies, 'find' | 'profileOf'>,
  notify: Notify,
): DeliveryHandler {
  return async (payload) => {
    const { legalPersonId, notice, group, after } = payload as unknown as CompanyNotice & Place;
    const row = await companies.find(database, legalPersonId);
    const sql = GROUPS[group];
    if (row === undefined || sql === undefined) return;
    const about = { name: companies.profileOf(row).name };
    await database.write(async (tx) => {
      const page = await tx.all<{ id: string }>(sql, [legalPersonId, after]);
      for (const { id } of page) await notify(tx, id, notice, about);
      const next = page.length === PAGE ? { group, after: page.at(-1)!.id } : { group: group + 1, after: '' };
      if (next.group < GROUPS.length) await enqueueFrom(tx, { legalPersonId, notice }, next);
    });
  };
}
