import type { Leaving } from '../people/lifecycle/holdings.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { Connection } from '../storage/database.ts';
import type { ClaimReviews } from './claim-reviews.ts';
import type { CompanyRow } from './companies.ts';
import type { MandateChanges } from './mandate-changes.ts';
import type { MandateParts } from './mandate-parts.ts';

const REPRESENTED = `SELECT l.id, l.uscc_sealed, l.name_sealed, l.category, l.status, l.suspended_cause, l.representative_key,
  l.created_at FROM legal_person_posts o JOIN legal_persons l ON l.id = o.legal_person_id
  WHERE o.person_id = $1 AND o.role = 'legal_representative' AND o.status <> 'ended' AND l.status = 'active' ORDER BY l.id`;
const LIVE_MANDATES = `SELECT id FROM mandates WHERE (agent_person_id = $1 OR represented_id = $1)
  AND status IN ('invited', 'active', 'suspended') ORDER BY id`;
const PENDING_CLAIMS = `SELECT id FROM legal_person_claims WHERE person_id = $1 AND status = 'pending' ORDER BY id`;
const GUARDIANS = `SELECT agent_person_id AS id FROM mandates WHERE represented_id = $1 AND kind = 'guardian'
  AND status = 'active' AND valid_from <= $2 AND valid_until > $2 AND agent_person_id IS NOT NULL`;

type LeavingParts = Pick<MandateParts, 'database' | 'companies' | 'posts' | 'ends'> & {
  readonly mandates: Pick<MandateChanges, 'revoke'>;
  readonly claims: Pick<ClaimReviews, 'withdraw'>;
};

/** Ends what a person is to companies and to other people, before their account ends. Each end is a transaction of its own. */
export function createLeaving({ database, companies, posts, ends, mandates, claims }: LeavingParts): Leaving {
  const endPosts = async (personId: string): Promise<void> => {
    for (const { legalPersonId } of await posts.ofPerson(database, personId)) {
      await database.write(async (tx) => {
        await companies.lock(tx, legalPersonId);
        const post = await posts.held(tx, legalPersonId, personId);
        if (post !== undefined) await posts.end(tx, post, 'account_closed', 'house');
      });
      await ends.person(legalPersonId, personId, 'account_closed');
    }
  };

  return {
    async hindrances(connection: Connection, personId) {
      const rows = await connection.all<CompanyRow>(REPRESENTED, [personId]);
      return rows.map((row) => companies.profileOf(row).name);
    },
    async leave(personId) {
      for (const { id } of await database.all<{ id: string }>(PENDING_CLAIMS, [personId])) {
        await claims.withdraw(id, personId);
      }
      await endPosts(personId);
      for (const { id } of await database.all<{ id: string }>(LIVE_MANDATES, [personId])) {
        await mandates.revoke(id, 'house', 'account closed');
      }
    },
    async guardians(connection, personId) {
      const rows = await connection.all<{ id: string }>(GUARDIANS, [personId, nowSeconds()]);
      return [...new Set(rows.map(({ id }) => id))];
    },
  };
}
