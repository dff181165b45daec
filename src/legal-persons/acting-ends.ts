import type { Database } from '../storage/database.ts';
import type { ActingEnded } from './acting.ts';

const HELD_BY = `SELECT id FROM mandates WHERE agent_legal_person_id = $1 AND status = 'active' ORDER BY id`;
const PRINCIPALS_OF = `SELECT DISTINCT legal_person_id AS id FROM mandates
  WHERE agent_legal_person_id = $1 AND status = 'active'`;

/** What is to be said to the protocol when something ended; each also ends what was done through a company that is an agent itself. */
export interface ActingEnds {
  company(legalPersonId: string, cause: string): Promise<void>;
  /** What one person did for a company, by post or mandate. */
  person(legalPersonId: string, personId: string, cause: string): Promise<void>;
  /** Mandates, and what their agents did for others through the company they were agents of. */
  mandates(ended: readonly EndedMandate[], cause: string): Promise<void>;
}

export interface EndedMandate {
  readonly id: string;
  readonly legal_person_id: string | null;
  readonly agent_person_id: string | null;
}

/** To be called after the commit. Whoever was let in before it is found by the protocol; whoever comes later is refused (F3). */
export function createActingEnds(database: Database, ended: ActingEnded): ActingEnds {
  const throughCompany = async (legalPersonId: string, personId: string, cause: string): Promise<void> => {
    for (const { id } of await database.all<{ id: string }>(PRINCIPALS_OF, [legalPersonId])) {
      await ended({ legalPersonId: id, personId }, cause);
    }
  };
  return {
    async company(legalPersonId, cause) {
      await ended({ legalPersonId }, cause);
      for (const { id } of await database.all<{ id: string }>(HELD_BY, [legalPersonId])) {
        await ended({ mandateId: id }, cause);
      }
    },
    async person(legalPersonId, personId, cause) {
      await ended({ legalPersonId, personId }, cause);
      await throughCompany(legalPersonId, personId, cause);
    },
    async mandates(mandates, cause) {
      for (const { id, legal_person_id: company, agent_person_id: agent } of mandates) {
        await ended({ mandateId: id }, cause);
        if (company !== null && agent !== null) await throughCompany(company, agent, cause);
      }
    },
  };
}
