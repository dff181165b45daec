import { settleIndex } from '../crypto/blind-index.ts';
import { holdActive } from '../people/active-person.ts';
import { AGE_OF_MAJORITY, hasReached, nextMilestone } from '../people/birthdays.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { Transaction } from '../storage/database.ts';
import { updateLock } from '../storage/row-locks.ts';
import { type AgentChoice, type AgentColumns, agentColumns, holdsInvited } from './agents.ts';
import { actorOf, type By, nameOf } from './by.ts';
import type { MandateParts } from './mandate-parts.ts';
import { type Mandate, type MandateRow, mandateDetails, mandateOf } from './mandate-record.ts';
import type { MandateSides } from './mandate-sides.ts';
import { type Draft, findMandate, insertMandate } from './mandate-store.ts';
import { type Terms, type TermsRefusal, termsOf, type WantedTerms } from './mandate-terms.ts';

interface GrantBase extends WantedTerms {
  readonly agent: AgentChoice;
  /** In words of staff: how the wish or the relation was shown. Required where no entitled person grants. */
  readonly evidence?: string | undefined;
}

/** A company names its agent (经办人). With `parentId`, an agent who may do so passes part of their own mandate on. */
export interface AgentGrant extends GrantBase {
  readonly kind: 'agent';
  readonly legalPersonId: string;
  readonly parentId?: string | undefined;
}

/** A guardian for somebody under 18, entered by staff; an elder, or any adult, names a relative (亲友代办). */
export interface NaturalGrant extends GrantBase {
  readonly kind: 'guardian' | 'relative';
  readonly representedId: string;
}

export type Grant = AgentGrant | NaturalGrant;

/**
 * `not_entitled`: neither representative nor administrator of an active company, nor the person themself. `self`: nobody grants to
 * themself. `age`: no guardian for an adult, no relatives for a child. `exists`: the same stands already.
 */
export type GrantRefusal =
  | TermsRefusal
  | 'not_entitled'
  | 'self'
  | 'unknown_agent'
  | 'unknown_person'
  | 'evidence'
  | 'age'
  | 'exists';

export type GrantOutcome =
  | { readonly ok: true; readonly mandate: Mandate }
  | { readonly ok: false; readonly reason: GrantRefusal; readonly existing?: Mandate };

const refuse = (reason: GrantRefusal) => ({ ok: false, reason }) as const;
type Refused = ReturnType<typeof refuse>;

export interface MandateGrants {
  /** Writes an invitation. Nobody may act under it before the agent has accepted. */
  grant(grant: Grant, by: By): Promise<GrantOutcome>;
  /** The same in a transaction of the caller: for many that stand or fall together. `importId` names them in the ledger. */
  grantAgent(tx: Transaction, grant: AgentGrant, by: By, importId?: string): Promise<GrantOutcome>;
}

export function createMandateGrants(parts: MandateParts, sides: MandateSides): MandateGrants {
  const { database, sealer, index, ledger, persons, matters, companies, posts, settings } = parts;
  const lockParent = `SELECT id FROM mandates WHERE id = $1${updateLock(database.engine)}`;

  const write = async (tx: Transaction, draft: Draft, by: By, importId?: string): Promise<GrantOutcome> => {
    const outcome = await insertMandate(tx, sealer, draft);
    const now = nowSeconds();
    if (!outcome.ok) return { ok: false, reason: 'exists', existing: mandateOf(outcome.existing, now) };
    const { row } = outcome;
    await ledger.append(tx, {
      type: 'mandate.granted',
      ...actorOf(by),
      personId: row.agent_person_id ?? row.represented_id ?? undefined,
      details: {
        ...mandateDetails(row),
        grantor: draft.grantedBy,
        matters: draft.terms.scope.matters,
        portals: draft.terms.scope.portals,
        validUntil: row.valid_until,
        ...(row.agent_person_id === null ? {} : { agent: row.agent_person_id }),
        ...(row.parent_id === null ? {} : { parent: row.parent_id }),
        ...(importId === undefined ? {} : { import: importId }),
      },
    });
    await sides.tell(tx, row, 'agent', 'mandate_invited');
    return { ok: true, mandate: mandateOf(row, now) };
  };

  /** The agent as columns; refused when they are the grantor, the company itself, or nobody we know. */
  const agentFor = async (tx: Transaction, grant: Grant, by: By): Promise<AgentColumns | Refused> => {
    const { agent } = grant;
    if ('document' in agent) await settleIndex(tx, index, 'document', agent.document);
    const columns = agentColumns(index, agent);
    const principals = [grant.kind === 'agent' ? grant.legalPersonId : grant.representedId];
    if (by !== 'house' && by.personId !== undefined) principals.push(by.personId);
    for (const id of principals) {
      if (columns.agentPersonId === id || columns.agentLegalPersonId === id) return refuse('self');
      if (await holdsInvited(tx, id, columns)) return refuse('self');
    }
    if ('personId' in agent && !(await holdActive(tx, database.engine, agent.personId))) {
      return refuse('unknown_agent');
    }
    if ('legalPersonId' in agent && (await companies.find(tx, agent.legalPersonId))?.status !== 'active') {
      return refuse('unknown_agent');
    }
    return columns;
  };

  /** The mandate a sub-delegation stands on, kept from change; it must be the grantor's own and hold now. */
  const parentFor = async (tx: Transaction, grant: AgentGrant, by: By): Promise<MandateRow | Refused> => {
    const company = await companies.share(tx, grant.legalPersonId);
    await tx.get(lockParent, [grant.parentId!]);
    const row = await findMandate(tx, grant.parentId!);
    const now = nowSeconds();
    const isOwn = by !== 'house' && by.personId !== undefined && row?.agent_person_id === by.personId;
    if (!isOwn || row.legal_person_id !== grant.legalPersonId || company?.status !== 'active')
      return refuse('not_entitled');
    return row.status === 'active' && row.valid_until > now ? row : refuse('not_entitled');
  };

  const mayGrant = async (
    tx: Transaction,
    { legalPersonId, evidence }: AgentGrant,
    by: By,
  ): Promise<Refused | undefined> => {
    if (by === 'house') return refuse('not_entitled');
    if (by.personId === undefined) {
      if (evidence === undefined) return refuse('evidence');
      return (await companies.share(tx, legalPersonId))?.status === 'active' ? undefined : refuse('not_entitled');
    }
    return (await posts.entitled(tx, legalPersonId, by.personId)) === undefined ? refuse('not_entitled') : undefined;
  };

  const grantAgent: MandateGrants['grantAgent'] = async (tx, grant, by, importId) => {
    const parent = grant.parentId === undefined ? undefined : await parentFor(tx, grant, by);
    if (parent !== undefined && 'ok' in parent) return parent;
    const refusal = parent === undefined ? await mayGrant(tx, grant, by) : undefined;
    if (refusal !== undefined) return refusal;
    const agent = await agentFor(tx, grant, by);
    if ('ok' in agent) return agent;
    const now = nowSeconds();
    const read = termsOf(matters, settings, 'agent', grant, { now, ...(parent === undefined ? {} : { parent }) });
    if (!read.ok) return read;
    return write(tx, draftOf(grant, agent, read.terms, by), by, importId);
  };

  const grantNatural = async (grant: NaturalGrant, by: By): Promise<GrantOutcome> => {
    const represented = await persons.profile(grant.representedId);
    if (represented === undefined || represented.status !== 'active') return refuse('unknown_person');
    const { birthDate } = represented;
    const now = nowSeconds();
    const isMinor = birthDate !== undefined && !hasReached(birthDate, AGE_OF_MAJORITY, now);
    const isStaff = by !== 'house' && by.personId === undefined;
    if (isMinor !== (grant.kind === 'guardian')) return refuse('age');
    if (isStaff && grant.evidence === undefined) return refuse('evidence');
    const isThemself = by !== 'house' && by.personId === grant.representedId;
    if (!isStaff && (grant.kind === 'guardian' || !isThemself)) return refuse('not_entitled');
    const read = termsOf(matters, settings, grant.kind, grant, {
      now,
      ...(birthDate === undefined ? {} : { birthDate }),
    });
    if (!read.ok) return read;
    return database.write(async (tx) => {
      if (!(await holdActive(tx, database.engine, grant.representedId))) return refuse('unknown_person');
      const agent = await agentFor(tx, grant, by);
      if ('ok' in agent) return agent;
      const milestone = isMinor ? nextMilestone(birthDate, now) : undefined;
      return write(tx, { ...draftOf(grant, agent, read.terms, by), milestoneAt: milestone?.at }, by);
    });
  };

  return {
    grantAgent,
    grant: (grant, by) =>
      grant.kind === 'agent' ? database.write((tx) => grantAgent(tx, grant, by)) : grantNatural(grant, by),
  };
}

const draftOf = (grant: Grant, agent: AgentColumns, terms: Terms, by: By): Draft => ({
  kind: grant.kind,
  principal: grant.kind === 'agent' ? { legalPersonId: grant.legalPersonId } : { personId: grant.representedId },
  agent,
  // Only a company's own people pass a mandate on.
  terms: grant.kind === 'agent' ? terms : { ...terms, mayDelegate: false },
  parentId: grant.kind === 'agent' ? grant.parentId : undefined,
  grantedBy: nameOf(by),
  evidence: grant.evidence,
});
