import type { BlindIndex } from '../crypto/blind-index.ts';
import type { IdentityDocument } from '../people/documents/document.ts';
import { maskDocument } from '../people/masking.ts';
import type { Connection } from '../storage/database.ts';

/**
 * Who is to act: a person by account, another company, or whoever holds a document. The last needs no account yet, and the grantor
 * does not learn whether there is one.
 */
export type AgentChoice =
  | { readonly personId: string }
  | { readonly legalPersonId: string }
  | { readonly document: IdentityDocument; readonly name: string };

/** The columns of a mandate that name its agent. */
export interface AgentColumns {
  readonly agentPersonId: string | null;
  readonly agentLegalPersonId: string | null;
  readonly inviteeType: string | null;
  readonly inviteeIssuer: string | null;
  readonly inviteeIndex: string | null;
  /** To be sealed: what the grantor may see again of whom they invited. */
  readonly invitee: Invitee | undefined;
  /** What makes this agent this agent, for the fingerprint. */
  readonly key: string;
}

/** Name as the grantor wrote it, and the number masked. */
export interface Invitee {
  readonly name: string;
  readonly numberMasked: string;
}

const NOBODY = {
  agentPersonId: null,
  agentLegalPersonId: null,
  inviteeType: null,
  inviteeIssuer: null,
  inviteeIndex: null,
  invitee: undefined,
};

export function agentColumns(index: BlindIndex, agent: AgentChoice): AgentColumns {
  if ('personId' in agent) return { ...NOBODY, agentPersonId: agent.personId, key: `person:${agent.personId}` };
  if ('legalPersonId' in agent) {
    return { ...NOBODY, agentLegalPersonId: agent.legalPersonId, key: `company:${agent.legalPersonId}` };
  }
  const { document, name } = agent;
  const inviteeIndex = index.of(document);
  return {
    ...NOBODY,
    inviteeType: document.type,
    inviteeIssuer: document.issuer,
    inviteeIndex,
    invitee: { name, numberMasked: maskDocument(document) },
    key: `document:${document.type}:${document.issuer}:${index.name(document)}`,
  };
}

const HOLDS = `SELECT 1 AS one FROM identity_documents
  WHERE person_id = $1 AND type = $2 AND issuer = $3 AND number_index = $4`;
const HOLDER = `SELECT p.id, p.status FROM identity_documents d JOIN persons p ON p.id = d.person_id
  WHERE d.type = $1 AND d.issuer = $2 AND d.number_index = $3`;

interface InvitedDocument {
  readonly inviteeType: string | null;
  readonly inviteeIssuer: string | null;
  readonly inviteeIndex: string | null;
}

/** Whether this person holds the document that was invited. */
export async function holdsInvited(
  connection: Connection,
  personId: string,
  { inviteeType, inviteeIssuer, inviteeIndex }: InvitedDocument,
): Promise<boolean> {
  if (inviteeIndex === null) return false;
  return (await connection.get(HOLDS, [personId, inviteeType, inviteeIssuer, inviteeIndex])) !== undefined;
}

/** The account of whoever holds it, if there is one: to tell them, never to tell the grantor. */
export async function holderOf(
  connection: Connection,
  { inviteeType, inviteeIssuer, inviteeIndex }: InvitedDocument,
): Promise<string | undefined> {
  if (inviteeIndex === null) return undefined;
  return (await connection.get<{ id: string }>(HOLDER, [inviteeType, inviteeIssuer, inviteeIndex]))?.id;
}
