import type { Sealer } from '../crypto/sealing.ts';
import { nowSeconds } from '../shared/clock.ts';
import { newId } from '../shared/ids.ts';
import type { Connection, Database, Transaction } from '../storage/database.ts';
import { updateLock } from '../storage/row-locks.ts';
import type { AgentColumns } from './agents.ts';
import {
  evidenceContext,
  fingerprintOf,
  inviteeContext,
  MANDATE_COLUMNS,
  type MandateKind,
  type MandateRow,
  mandateColumns,
  type Principal,
} from './mandate-record.ts';
import type { MandateStatus } from './mandate-states.ts';
import type { Terms } from './mandate-terms.ts';

/** A mandate about to be written. */
export interface Draft {
  readonly kind: MandateKind;
  readonly principal: Principal;
  readonly agent: AgentColumns;
  readonly terms: Terms;
  readonly parentId?: string | undefined;
  readonly grantedBy: string;
  /** How the relation or the wish was shown, in words of staff. */
  readonly evidence?: string | undefined;
  readonly milestoneAt?: number | undefined;
}

/** What a change writes; nothing is written unless the status is still the one it was decided on. */
export interface MandateChange {
  readonly from: MandateStatus;
  readonly to: MandateStatus;
  readonly cause?: string | undefined;
  readonly suspendedBy?: 'principal' | 'operator' | 'house' | undefined;
  /** With an acceptance; who accepted becomes the agent, except for a company, which is the agent itself. */
  readonly acceptance?: { readonly agentPersonId: string | undefined };
  readonly validUntil?: number | undefined;
}

const PLACES = MANDATE_COLUMNS.map((_, place) => `$${place + 1}`).join(', ');
const INSERT = `INSERT INTO mandates (${MANDATE_COLUMNS.join(', ')}) VALUES (${PLACES}) ON CONFLICT DO NOTHING`;
const FIND = `SELECT ${mandateColumns('m')} FROM mandates m WHERE m.id = $1`;
const FIND_LIVE = `SELECT ${mandateColumns('m')} FROM mandates m
  WHERE m.fingerprint = $1 AND m.status IN ('invited', 'active', 'suspended')`;
const CHILDREN = `SELECT ${mandateColumns('m')} FROM mandates m
  WHERE m.parent_id = $1 AND m.status IN ('invited', 'active', 'suspended') ORDER BY m.id`;
/**
 * Compare-and-set: of an acceptance and a revocation at once, or of two revocations, one finds the status it began from. A time that has
 * run out is an end that nobody may step over, though it is not marked yet.
 */
const CHANGE = `UPDATE mandates SET status = $3, cause = $4, suspended_by = $5,
  agent_person_id = COALESCE($6, agent_person_id), accepted_at = CASE WHEN $7 = 1 THEN $9 ELSE accepted_at END,
  valid_until = COALESCE($8, valid_until), updated_at = $9
  WHERE id = $1 AND status = $2 AND (valid_until > $9 OR $3 IN ('revoked', 'expired', 'declined', 'suspended'))
    AND valid_until < COALESCE($8, valid_until + 1)`;

export const findMandate = (connection: Connection, id: string): Promise<MandateRow | undefined> =>
  connection.get(FIND, [id]);

/** Those granted under it that have not ended, kept as they are until the transaction ends. */
export const childrenOf = (tx: Transaction, engine: Database['engine'], id: string): Promise<MandateRow[]> =>
  tx.all(CHILDREN + updateLock(engine), [id]);

/** Resolves with false when the status was another one meanwhile. */
export async function changeMandate(tx: Transaction, id: string, change: MandateChange): Promise<boolean> {
  const changed = await tx.run(CHANGE, [
    id,
    change.from,
    change.to,
    change.cause ?? null,
    change.suspendedBy ?? null,
    change.acceptance?.agentPersonId ?? null,
    change.acceptance === undefined ? 0 : 1,
    change.validUntil ?? null,
    nowSeconds(),
  ]);
  return changed === 1;
}

export type InsertOutcome =
  | { readonly ok: true; readonly row: MandateRow }
  | { readonly ok: false; readonly existing: MandateRow };

/** The unique index over what it says is the only judge of whether it is there already. */
export async function insertMandate(tx: Transaction, sealer: Sealer, draft: Draft): Promise<InsertOutcome> {
  const row = rowOf(sealer, draft);
  const inserted = await tx.run(
    INSERT,
    MANDATE_COLUMNS.map((name) => row[name]),
  );
  if (inserted === 1) return { ok: true, row };
  return { ok: false, existing: (await tx.get<MandateRow>(FIND_LIVE, [row.fingerprint]))! };
}

function rowOf(sealer: Sealer, draft: Draft): MandateRow {
  const { principal, agent, terms, parentId, evidence } = draft;
  const id = newId('mdt');
  const now = nowSeconds();
  const { scope, validFrom, validUntil, acrMax, mayDelegate } = terms;
  return {
    id,
    kind: draft.kind,
    legal_person_id: 'legalPersonId' in principal ? principal.legalPersonId : null,
    represented_id: 'personId' in principal ? principal.personId : null,
    agent_person_id: agent.agentPersonId,
    agent_legal_person_id: agent.agentLegalPersonId,
    invitee_type: agent.inviteeType,
    invitee_issuer: agent.inviteeIssuer,
    invitee_index: agent.inviteeIndex,
    invitee_sealed: agent.invitee ? sealer.seal(JSON.stringify(agent.invitee), inviteeContext(id)) : null,
    matters: JSON.stringify(scope.matters),
    portals: JSON.stringify(scope.portals),
    valid_from: validFrom,
    valid_until: validUntil,
    acr_max: acrMax ?? null,
    may_delegate: mayDelegate ? 1 : 0,
    parent_id: parentId ?? null,
    status: 'invited',
    cause: null,
    suspended_by: null,
    granted_by: draft.grantedBy,
    evidence_sealed: evidence === undefined ? null : sealer.seal(evidence, evidenceContext(id)),
    fingerprint: fingerprintOf(principal, agent.key, scope, { acrMax, mayDelegate, parentId }),
    milestone_at: draft.milestoneAt ?? null,
    accepted_at: null,
    created_at: now,
    updated_at: now,
  };
}
