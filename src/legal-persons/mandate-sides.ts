import { maskName } from '../people/masking.ts';
import type { Transaction } from '../storage/database.ts';
import { holderOf, holdsInvited } from './agents.ts';
import type { By } from './by.ts';
import type { MandateParts } from './mandate-parts.ts';
import type { MandateRow } from './mandate-record.ts';
import type { MandateSide } from './mandate-states.ts';
import { findMandate } from './mandate-store.ts';
import type { LegalNotice } from './notices.ts';
import { personName } from './person-names.ts';

/** What is asked about the two sides of a mandate, within the transaction that is about to change it. */
export interface MandateSides {
  /** On which sides somebody stands; none for a stranger, who does not learn that there is such a mandate. */
  of(tx: Transaction, row: MandateRow, by: By): Promise<readonly MandateSide[]>;
  /** Tells one side. Whoever was invited by document and has no account yet cannot be told. */
  tell(tx: Transaction, row: MandateRow, side: 'agent' | 'principal', notice: LegalNotice): Promise<void>;
}

const inviteeOf = (row: MandateRow) => ({
  inviteeType: row.invitee_type,
  inviteeIssuer: row.invitee_issuer,
  inviteeIndex: row.invitee_index,
});

const PERSON = /^psn_/;

export function createMandateSides({ posts, companies, sealer, notify }: MandateParts): MandateSides {
  const isPrincipal = async (tx: Transaction, row: MandateRow, personId: string): Promise<boolean> => {
    // A guardian's ward decides nothing here, and neither does anybody for them: staff does.
    if (row.legal_person_id === null) return row.kind === 'relative' && row.represented_id === personId;
    if ((await posts.entitled(tx, row.legal_person_id, personId)) !== undefined) return true;
    if (row.parent_id === null) return false;
    return (await findMandate(tx, row.parent_id))?.agent_person_id === personId;
  };

  const isAgent = async (tx: Transaction, row: MandateRow, personId: string): Promise<boolean> => {
    if (row.agent_legal_person_id !== null) {
      return (await posts.entitled(tx, row.agent_legal_person_id, personId)) !== undefined;
    }
    if (row.agent_person_id !== null) return row.agent_person_id === personId;
    return holdsInvited(tx, personId, inviteeOf(row));
  };

  const nameOfPrincipal = async (tx: Transaction, row: MandateRow): Promise<string> => {
    if (row.legal_person_id === null) return maskName((await personName(tx, sealer, row.represented_id!)) ?? '');
    const company = await companies.find(tx, row.legal_person_id);
    return company === undefined ? '' : companies.profileOf(company).name;
  };

  const peopleOf = async (
    tx: Transaction,
    row: MandateRow,
    side: 'agent' | 'principal',
  ): Promise<readonly string[]> => {
    if (side === 'principal') {
      if (row.represented_id !== null) return [row.represented_id];
      return PERSON.test(row.granted_by) ? [row.granted_by] : [];
    }
    if (row.agent_legal_person_id !== null) {
      const standing = await posts.ofCompany(tx, row.agent_legal_person_id);
      return standing.filter(({ status }) => status === 'active').map(({ personId }) => personId);
    }
    const agent = row.agent_person_id ?? (await holderOf(tx, inviteeOf(row)));
    return agent === undefined ? [] : [agent];
  };

  return {
    async of(tx, row, by) {
      if (by === 'house') return ['house'];
      if (by.personId === undefined) return ['operator'];
      const sides: MandateSide[] = [];
      if (await isPrincipal(tx, row, by.personId)) sides.push('principal');
      if (await isAgent(tx, row, by.personId)) sides.push('agent');
      return sides;
    },
    async tell(tx, row, side, notice) {
      const people = await peopleOf(tx, row, side);
      if (people.length === 0) return;
      const name = await nameOfPrincipal(tx, row);
      for (const personId of people) await notify(tx, personId, notice, { name, asPrincipal: side === 'principal' });
    },
  };
}
