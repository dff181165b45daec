import type { Ledger } from '../ledger/ledger.ts';
import { nowSeconds } from '../shared/clock.ts';
import { newId } from '../shared/ids.ts';
import type { Connection, Database, Transaction } from '../storage/database.ts';
import { shareLock } from '../storage/row-locks.ts';
import type { Tables } from '../storage/tables.ts';
import { actorOf, type By, nameOf } from './by.ts';
import { POST_ROW, postRow } from './company-rows.ts';

export type PostRole = 'legal_representative' | 'administrator';

/** Somebody stands for a legal person. Times are epoch seconds. */
export interface Post {
  readonly id: string;
  readonly legalPersonId: string;
  readonly personId: string;
  readonly role: PostRole;
  readonly status: 'active' | 'suspended' | 'ended';
  /** Why it was suspended or ended. */
  readonly cause: string | undefined;
  readonly appointedBy: string;
  readonly createdAt: number;
}

type PostRow = Tables['legal_person_posts'];

const COLUMNS = 'id, legal_person_id, person_id, role, status, cause, appointed_by, created_at, updated_at';
const OF_COMPANY = `SELECT ${COLUMNS} FROM legal_person_posts WHERE legal_person_id = $1 AND status <> 'ended' ORDER BY id`;
const OF_PERSON = `SELECT ${COLUMNS} FROM legal_person_posts WHERE person_id = $1 AND status <> 'ended' ORDER BY id`;
const HELD = `SELECT ${COLUMNS} FROM legal_person_posts
  WHERE legal_person_id = $1 AND person_id = $2 AND status <> 'ended'`;
const END = `UPDATE legal_person_posts SET status = 'ended', cause = $2, updated_at = $3
  WHERE id = $1 AND status <> 'ended'`;
const RESUME = `UPDATE legal_person_posts SET status = 'active', cause = NULL, updated_at = $2
  WHERE id = $1 AND status = 'suspended'`;

/** The rows of posts: who stands for a legal person, and how that begins and ends. Rules about who may do it stand above. */
export interface Posts {
  /** Those that have not ended. */
  ofCompany(connection: Connection, legalPersonId: string): Promise<readonly Post[]>;
  ofPerson(connection: Connection, personId: string): Promise<readonly Post[]>;
  /** The post of this person that has not ended, suspended or not. */
  held(connection: Connection, legalPersonId: string, personId: string): Promise<Post | undefined>;
  /**
   * In which capacity this person may decide for the company at this moment, kept so until the transaction ends; undefined for
   * everybody else, and for a company that is not active.
   */
  entitled(tx: Transaction, legalPersonId: string, personId: string): Promise<PostRole | undefined>;
  insert(tx: Transaction, legalPersonId: string, personId: string, role: PostRole, by: By): Promise<void>;
  /** False when it has ended before. */
  end(tx: Transaction, post: Post, cause: string, by: By): Promise<boolean>;
  resume(tx: Transaction, post: Post, by: By): Promise<boolean>;
}

export function createPosts({
  engine,
  ledger,
}: {
  readonly engine: Database['engine'];
  readonly ledger: Ledger;
}): Posts {
  const ENTITLED = `SELECT o.role FROM legal_persons l JOIN legal_person_posts o ON o.legal_person_id = l.id
    WHERE l.id = $1 AND l.status = 'active' AND o.person_id = $2 AND o.status = 'active'${shareLock(engine)}`;

  return {
    ofCompany: async (connection, id) => (await connection.all<PostRow>(OF_COMPANY, [id])).map(postOf),
    ofPerson: async (connection, id) => (await connection.all<PostRow>(OF_PERSON, [id])).map(postOf),
    async held(connection, legalPersonId, personId) {
      const row = await connection.get<PostRow>(HELD, [legalPersonId, personId]);
      return row && postOf(row);
    },
    entitled: async (tx, legalPersonId, personId) =>
      (await tx.get<{ role: PostRole }>(ENTITLED, [legalPersonId, personId]))?.role,
    async insert(tx, legalPersonId, personId, role, by) {
      const post = { id: newId('pst'), legalPersonId, personId, role, appointedBy: nameOf(by), now: nowSeconds() };
      await tx.run(POST_ROW.insert(1), postRow(post));
      const details = { legalPerson: legalPersonId, role };
      await ledger.append(tx, { type: 'post.appointed', ...actorOf(by), personId, details });
    },
    async end(tx, { id, legalPersonId, personId, role }, cause, by) {
      if ((await tx.run(END, [id, cause, nowSeconds()])) === 0) return false;
      const details = { legalPerson: legalPersonId, role, cause };
      await ledger.append(tx, { type: 'post.ended', ...actorOf(by), personId, details });
      return true;
    },
    async resume(tx, { id, legalPersonId, personId, role }, by) {
      if ((await tx.run(RESUME, [id, nowSeconds()])) === 0) return false;
      const details = { legalPerson: legalPersonId, role };
      await ledger.append(tx, { type: 'post.resumed', ...actorOf(by), personId, details });
      return true;
    },
  };
}

const postOf = (row: PostRow): Post => ({
  id: row.id,
  legalPersonId: row.legal_person_id,
  personId: row.person_id,
  role: row.role,
  status: row.status,
  cause: row.cause ?? undefined,
  appointedBy: row.appointed_by,
  createdAt: row.created_at,
});
