import { hash } from 'node:crypto';
import type { Tables } from '../storage/tables.ts';
import type { MandateState, MandateStatus } from './mandate-states.ts';
import type { Scope } from './matters.ts';

export type MandateKind = 'agent' | 'guardian' | 'relative';

export type MandateRow = Tables['mandates'];

/** Who is acted for. */
export type Principal = { readonly legalPersonId: string } | { readonly personId: string };

/**
 * A mandate as its two sides see it; nothing in it is unsealed. `status` is as it holds now: one whose time is over reads `expired`
 * before anybody has marked it. Times are epoch seconds.
 */
export interface Mandate {
  readonly id: string;
  readonly kind: MandateKind;
  readonly principal: Principal;
  /** Undefined while nobody has accepted an invitation by document. */
  readonly agentPersonId: string | undefined;
  readonly agentLegalPersonId: string | undefined;
  readonly matters: readonly string[];
  readonly portals: readonly string[];
  readonly validFrom: number;
  readonly validUntil: number;
  readonly acrMax: string | undefined;
  readonly mayDelegate: boolean;
  readonly parentId: string | undefined;
  readonly status: MandateStatus;
  readonly suspendedBy: MandateState['suspendedBy'];
  /** Why it was suspended or ended. */
  readonly cause: string | undefined;
  readonly grantedBy: string;
  readonly acceptedAt: number | undefined;
  readonly createdAt: number;
}

export const MANDATE_COLUMNS = [
  'id',
  'kind',
  'legal_person_id',
  'represented_id',
  'agent_person_id',
  'agent_legal_person_id',
  'invitee_type',
  'invitee_issuer',
  'invitee_index',
  'invitee_sealed',
  'matters',
  'portals',
  'valid_from',
  'valid_until',
  'acr_max',
  'may_delegate',
  'parent_id',
  'status',
  'cause',
  'suspended_by',
  'granted_by',
  'evidence_sealed',
  'fingerprint',
  'milestone_at',
  'accepted_at',
  'created_at',
  'updated_at',
] as const satisfies readonly (keyof MandateRow)[];

/** The columns with the name of the table before each. */
export const mandateColumns = (table: string): string => MANDATE_COLUMNS.map((name) => `${table}.${name}`).join(', ');

export const listOf = (json: string): readonly string[] => JSON.parse(json) as readonly string[];

const LIVE: readonly MandateStatus[] = ['invited', 'active', 'suspended'];

export function mandateOf(row: MandateRow, now: number): Mandate {
  const isOver = LIVE.includes(row.status) && row.valid_until <= now;
  return {
    id: row.id,
    kind: row.kind,
    principal:
      row.legal_person_id === null ? { personId: row.represented_id! } : { legalPersonId: row.legal_person_id },
    agentPersonId: row.agent_person_id ?? undefined,
    agentLegalPersonId: row.agent_legal_person_id ?? undefined,
    matters: listOf(row.matters),
    portals: listOf(row.portals),
    validFrom: row.valid_from,
    validUntil: row.valid_until,
    acrMax: row.acr_max ?? undefined,
    mayDelegate: row.may_delegate === 1,
    parentId: row.parent_id ?? undefined,
    status: isOver ? 'expired' : row.status,
    suspendedBy: row.suspended_by ?? undefined,
    cause: row.cause ?? undefined,
    grantedBy: row.granted_by,
    acceptedAt: row.accepted_at ?? undefined,
    createdAt: row.created_at,
  };
}

export const stateOf = (row: Pick<MandateRow, 'status' | 'suspended_by' | 'accepted_at'>): MandateState => ({
  status: row.status,
  suspendedBy: row.suspended_by ?? undefined,
  accepted: row.accepted_at !== null,
});

/** What makes two mandates the same: a form that is sent twice, or a file that is imported again, grants nothing twice. */
export const fingerprintOf = (
  principal: Principal,
  agent: string,
  { matters, portals }: Scope,
  rest: { readonly acrMax?: string | undefined; readonly mayDelegate: boolean; readonly parentId?: string | undefined },
): string =>
  hash(
    'sm3',
    JSON.stringify([principal, agent, matters, portals, rest.acrMax ?? '', rest.mayDelegate, rest.parentId ?? '']),
    'hex',
  );

/** What every event about a mandate says of it. */
export const mandateDetails = (row: Pick<MandateRow, 'id' | 'kind' | 'legal_person_id' | 'represented_id'>) => ({
  mandate: row.id,
  kind: row.kind,
  ...(row.legal_person_id === null ? {} : { legalPerson: row.legal_person_id }),
  ...(row.represented_id === null ? {} : { represented: row.represented_id }),
});

export const inviteeContext = (id: string): string => `mandates:invitee_sealed:${id}`;
export const evidenceContext = (id: string): string => `mandates:evidence_sealed:${id}`;
