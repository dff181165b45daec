import type { Database } from '../storage/database.ts';
import { type MandateRow, mandateColumns } from './mandate-record.ts';

/** A post that holds, with the company it is held at. */
export interface PostRow {
  readonly post_id: string;
  readonly role: 'legal_representative' | 'administrator';
  readonly company_id: string;
  readonly uscc_sealed: Uint8Array;
  readonly name_sealed: Uint8Array;
  readonly category: string;
}

/** A mandate that holds, with the company or the person it is for. */
export interface HeldMandateRow extends MandateRow {
  readonly company_id: string | null;
  readonly uscc_sealed: Uint8Array | null;
  readonly name_sealed: Uint8Array | null;
  readonly category: string | null;
}

const COMPANY = 'l.id AS company_id, l.uscc_sealed, l.name_sealed, l.category';

/** A mandate holds when it, its parent if it has one, and whom it is for do. `$2` is now, in epoch seconds. */
const HOLDS = `m.status = 'active' AND m.valid_from <= $2 AND m.valid_until > $2
  AND (m.legal_person_id IS NULL OR l.status = 'active')
  AND (m.represented_id IS NULL OR r.status = 'active')
  AND (m.parent_id IS NULL OR (p.status = 'active' AND p.valid_from <= $2 AND p.valid_until > $2))`;
const JOINS = `LEFT JOIN legal_persons l ON l.id = m.legal_person_id LEFT JOIN persons r ON r.id = m.represented_id
  LEFT JOIN mandates p ON p.id = m.parent_id`;

const POSTS = `SELECT o.id AS post_id, o.role, ${COMPANY} FROM legal_person_posts o
  JOIN legal_persons l ON l.id = o.legal_person_id
  WHERE o.person_id = $1 AND o.status = 'active' AND l.status = 'active' ORDER BY o.id`;
const POST = `SELECT o.id AS post_id, o.role, ${COMPANY} FROM legal_person_posts o
  JOIN legal_persons l ON l.id = o.legal_person_id
  WHERE o.person_id = $1 AND o.id = $2 AND o.status = 'active' AND l.status = 'active'`;
/**
 * Mandates of one agent that name a portal. The list is JSON and ids of portals need no escaping there, so a quoted id is found as it
 * stands: of a thousand mandates the few that fit are read, not all of them. `LIKE` would take `_` for any character.
 */
const atPortal = (agent: string, position: string): string =>
  `SELECT ${mandateColumns('m')}, ${COMPANY} FROM mandates m ${JOINS}
   WHERE ${agent} AND ${position}(m.portals, $3) > 0 AND ${HOLDS} ORDER BY m.id`;
const BY_PERSON = 'm.agent_person_id = $1 AND m.agent_legal_person_id IS NULL';
const BY_COMPANY = 'm.agent_legal_person_id = $1';
const HELD_ONE = `SELECT ${mandateColumns('m')}, ${COMPANY} FROM mandates m ${JOINS}
  WHERE m.id = $3 AND ${BY_PERSON} AND ${HOLDS}`;
const OF_COMPANY_ONE = `SELECT ${mandateColumns('m')}, ${COMPANY} FROM mandates m ${JOINS}
  WHERE m.id = $3 AND ${BY_COMPANY} AND ${HOLDS}`;

/** What holds at this moment, by index. Everything that is suspended, ended or not yet begun is not there. */
export interface ActingRows {
  posts(personId: string): Promise<readonly PostRow[]>;
  post(personId: string, postId: string): Promise<PostRow | undefined>;
  held(personId: string, clientId: string, now: number): Promise<readonly HeldMandateRow[]>;
  heldOne(personId: string, mandateId: string, now: number): Promise<HeldMandateRow | undefined>;
  /** Mandates given to a company, which its own people act under. */
  ofCompany(legalPersonId: string, clientId: string, now: number): Promise<readonly HeldMandateRow[]>;
  ofCompanyOne(legalPersonId: string, mandateId: string, now: number): Promise<HeldMandateRow | undefined>;
}

export function createActingRows(database: Pick<Database, 'engine' | 'all' | 'get'>): ActingRows {
  const position = database.engine === 'sqlite' ? 'instr' : 'strpos';
  const held = atPortal(BY_PERSON, position);
  const ofCompany = atPortal(BY_COMPANY, position);
  return {
    posts: (personId) => database.all(POSTS, [personId]),
    post: (personId, postId) => database.get(POST, [personId, postId]),
    held: (personId, clientId, now) => database.all(held, [personId, now, JSON.stringify(clientId)]),
    heldOne: (personId, mandateId, now) => database.get(HELD_ONE, [personId, now, mandateId]),
    ofCompany: (legalPersonId, clientId, now) =>
      database.all(ofCompany, [legalPersonId, now, JSON.stringify(clientId)]),
    ofCompanyOne: (legalPersonId, mandateId, now) => database.get(OF_COMPANY_ONE, [legalPersonId, now, mandateId]),
  };
}
