import type { Database, Transaction } from '../storage/database.ts';
import { shareLock } from '../storage/row-locks.ts';
import type { ActingEnds } from './acting-ends.ts';
import type { By } from './by.ts';
import { CLAIM_IAL_MIN } from './claims.ts';
import type { Companies, CompanyRow } from './companies.ts';
import type { Notify } from './notices.ts';
import type { Post, Posts } from './posts.ts';

/**
 * `not_entitled`: only the representative appoints and dismisses, and staff in their own right. `unknown`: no such company, person or
 * post. `not_active`: the company is stopped.
 */
export type AppointRefusal =
  | 'unknown'
  | 'not_active'
  | 'not_entitled'
  | 'self'
  | 'level_too_low'
  | 'too_many'
  | 'exists'
  | 'representative';

export type AppointOutcome =
  | { readonly ok: true; readonly post: Post }
  | { readonly ok: false; readonly reason: AppointRefusal };

export interface Appointments {
  /** Makes a person an administrator. The representative appoints; there are only so many, also between parallel calls. */
  appoint(legalPersonId: string, personId: string, by: By): Promise<AppointOutcome>;
  /** Ends the post of an administrator: the representative dismisses, the administrator resigns. What they opened ends. */
  dismiss(legalPersonId: string, personId: string, by: By): Promise<AppointOutcome>;
  /** Lets a suspended administrator stand again, after a new representative has come. */
  reinstate(legalPersonId: string, personId: string, by: By): Promise<AppointOutcome>;
}

export interface AppointmentParts {
  readonly database: Database;
  readonly companies: Companies;
  readonly posts: Posts;
  readonly ends: ActingEnds;
  readonly notify: Notify;
  readonly administratorsMax: number;
}

const refuse = (reason: AppointRefusal) => ({ ok: false, reason }) as const;

export function createAppointments(parts: AppointmentParts): Appointments {
  const { database, companies, posts, ends, notify, administratorsMax } = parts;
  const PERSON = `SELECT status, ial FROM persons WHERE id = $1${shareLock(database.engine)}`;

  const isRepresentative = async (tx: Transaction, legalPersonId: string, by: By): Promise<boolean> => {
    if (by === 'house') return false;
    if (by.personId === undefined) return true;
    return (await posts.entitled(tx, legalPersonId, by.personId)) === 'legal_representative';
  };

  /** The row is held for the whole transaction: posts are counted, and two appointments at once must see one another. */
  const atCompany = (
    legalPersonId: string,
    work: (tx: Transaction, row: CompanyRow) => Promise<AppointOutcome>,
  ): Promise<AppointOutcome> =>
    database.write(async (tx) => {
      const row = await companies.lock(tx, legalPersonId);
      return row === undefined ? refuse('unknown') : work(tx, row);
    });

  const told = async (tx: Transaction, row: CompanyRow, personId: string, notice: 'post_appointed' | 'post_ended') =>
    notify(tx, personId, notice, { name: companies.profileOf(row).name });

  const standing = async (tx: Transaction, row: CompanyRow, personId: string): Promise<AppointOutcome> => {
    const post = await posts.held(tx, row.id, personId);
    return post === undefined ? refuse('unknown') : { ok: true, post };
  };

  return {
    appoint: (legalPersonId, personId, by) =>
      atCompany(legalPersonId, async (tx, row) => {
        if (row.status !== 'active') return refuse('not_active');
        if (!(await isRepresentative(tx, legalPersonId, by))) return refuse('not_entitled');
        if (by !== 'house' && by.personId === personId) return refuse('self');
        const person = await tx.get<{ status: string; ial: number }>(PERSON, [personId]);
        if (person === undefined) return refuse('unknown');
        if (person.status !== 'active' || person.ial < CLAIM_IAL_MIN) return refuse('level_too_low');
        const all = await posts.ofCompany(tx, legalPersonId);
        if (all.some((post) => post.personId === personId)) return refuse('exists');
        if (all.filter(({ role }) => role === 'administrator').length >= administratorsMax) return refuse('too_many');
        await posts.insert(tx, legalPersonId, personId, 'administrator', by);
        await told(tx, row, personId, 'post_appointed');
        return standing(tx, row, personId);
      }),

    async dismiss(legalPersonId, personId, by) {
      const outcome = await atCompany(legalPersonId, async (tx, row) => {
        const post = await posts.held(tx, legalPersonId, personId);
        if (post === undefined) return refuse('unknown');
        if (post.role === 'legal_representative') return refuse('representative');
        const resigns = by !== 'house' && by.personId === personId;
        if (!resigns && !(await isRepresentative(tx, legalPersonId, by))) return refuse('not_entitled');
        await posts.end(tx, post, resigns ? 'resigned' : 'dismissed', by);
        await told(tx, row, personId, 'post_ended');
        return { ok: true, post: { ...post, status: 'ended' } };
      });
      if (outcome.ok) await ends.person(legalPersonId, personId, 'post_ended');
      return outcome;
    },

    reinstate: (legalPersonId, personId, by) =>
      atCompany(legalPersonId, async (tx, row) => {
        if (row.status !== 'active') return refuse('not_active');
        if (!(await isRepresentative(tx, legalPersonId, by))) return refuse('not_entitled');
        const post = await posts.held(tx, legalPersonId, personId);
        if (post?.role !== 'administrator') return refuse('unknown');
        if (!(await posts.resume(tx, post, by))) return refuse('exists');
        await told(tx, row, personId, 'post_appointed');
        return standing(tx, row, personId);
      }),
  };
}
