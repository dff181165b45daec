import type { Ledger } from '../../ledger/ledger.ts';
import { nowSeconds } from '../../shared/clock.ts';
import type { Connection, Database, Transaction } from '../../storage/database.ts';
import { updateLock } from '../../storage/row-locks.ts';
import type { Asked } from '../held-documents.ts';
import type { Leaving } from './holdings.ts';

/** An account that is being closed. Epoch seconds. */
export interface Closure {
  readonly askedAt: number;
  /** From then on it is shredded, by the next job of the night. */
  readonly dueAt: number;
  /** Its day came, and it could not be done: it may still be kept. */
  readonly held: boolean;
}

/** `represents`: the companies this person alone can act for. `unchanged`: the account was not open, or is being closed already. */
export type CloseOutcome =
  | { readonly outcome: 'closing'; readonly closure: Closure }
  | { readonly outcome: 'represents'; readonly companies: readonly string[] }
  | { readonly outcome: 'unchanged' };

/** What the person is told, in the transaction of what happened. */
export type TellClosure = (
  tx: Transaction,
  personId: string,
  notice: 'closure-asked' | 'closure-cancelled' | 'closure-held' | 'closure-done',
  dueAt: number,
) => Promise<void>;

/** Closing an account: asked for, waited for, and only then done (shredding.ts). */
export interface Closures {
  /** Shuts the account at once. The caller ends what is open after it, for which `ended` is called. */
  ask(personId: string, asked: Asked): Promise<CloseOutcome>;
  /** The person has changed their mind. `late`: there was nothing left to keep. */
  keep(personId: string, asked: Asked): Promise<'kept' | 'late'>;
  of(personId: string): Promise<Closure | undefined>;
}

export interface ClosureSources {
  readonly database: Database;
  readonly ledger: Ledger;
  readonly leaving: Leaving;
  readonly tell: TellClosure;
  readonly coolingSeconds: number;
  /** Called after the commit. */
  readonly forget: (personId: string) => void;
  /** Ends sessions, grants and tokens, and has the portals told. May be called again. */
  readonly endAll: (personId: string, cause: string) => Promise<unknown>;
}

const SHUT = `UPDATE persons SET status = 'closing', updated_at = $1 WHERE id = $2 AND status = 'active'`;
const OPEN = `UPDATE persons SET status = 'active', updated_at = $1 WHERE id = $2 AND status = 'closing'`;
const INSERT = 'INSERT INTO person_closures (person_id, asked_at, due_at, held_at) VALUES ($1, $2, $3, NULL)';
const FIND = 'SELECT asked_at, due_at, held_at FROM person_closures WHERE person_id = $1';
const DELETE = 'DELETE FROM person_closures WHERE person_id = $1';
const FORGET_DEVICES = 'DELETE FROM known_devices WHERE person_id = $1';

interface Row {
  readonly asked_at: number;
  readonly due_at: number;
  readonly held_at: number | null;
}

/** Whether it is still for the person to decide. What is due is left to the job of the night, which has begun with it perhaps. */
export const mayKeep = ({ dueAt, held }: Closure): boolean => held || nowSeconds() < dueAt;

export const findClosure = (connection: Connection, personId: string): Promise<Closure | undefined> =>
  closureBy(connection, FIND, personId);

async function closureBy(connection: Connection, find: string, personId: string): Promise<Closure | undefined> {
  const row = await connection.get<Row>(find, [personId]);
  return row && { askedAt: Number(row.asked_at), dueAt: Number(row.due_at), held: row.held_at !== null };
}

/** Thrown within a transaction, so that nothing of it stays, and caught around it. */
class Represents extends Error {
  readonly companies: readonly string[];

  constructor(companies: readonly string[]) {
    super('the person represents a company');
    this.companies = companies;
  }
}

export function createClosures(sources: ClosureSources): Closures {
  const { database, ledger, leaving, tell, coolingSeconds, forget, endAll } = sources;

  const shut = (personId: string, { origin, ...from }: Asked): Promise<CloseOutcome> =>
    database.write(async (tx): Promise<CloseOutcome> => {
      const askedAt = nowSeconds();
      if ((await tx.run(SHUT, [askedAt, personId])) === 0) return { outcome: 'unchanged' };
      const companies = await leaving.hindrances(tx, personId);
      if (companies.length > 0) throw new Represents(companies);
      const dueAt = askedAt + coolingSeconds;
      await tx.run(INSERT, [personId, askedAt, dueAt]);
      await tx.run(FORGET_DEVICES, [personId]);
      const details = { origin, due: new Date(dueAt * 1000).toISOString() };
      await ledger.append(tx, { ...from, type: 'person.closing', personId, details });
      await tell(tx, personId, 'closure-asked', dueAt);
      return { outcome: 'closing', closure: { askedAt, dueAt, held: false } };
    });

  return {
    async ask(personId, asked) {
      let outcome: CloseOutcome;
      try {
        outcome = await shut(personId, asked);
      } catch (error) {
        if (!(error instanceof Represents)) throw error;
        return { outcome: 'represents', companies: error.companies };
      } finally {
        forget(personId);
      }
      if (outcome.outcome === 'closing') await endAll(personId, 'account_closing');
      return outcome;
    },

    async keep(personId, { origin, ...from }) {
      // What was begun in the very moment the account was shut must not live again.
      if ((await findClosure(database, personId)) !== undefined) await endAll(personId, 'account_closing');
      try {
        return await database.write(async (tx) => {
          const closure = await closureBy(tx, FIND + updateLock(database.engine), personId);
          if (closure === undefined || !mayKeep(closure)) return 'late';
          if ((await tx.run(OPEN, [nowSeconds(), personId])) === 0) return 'late';
          await tx.run(DELETE, [personId]);
          await ledger.append(tx, { ...from, type: 'person.kept', personId, details: { origin } });
          await tell(tx, personId, 'closure-cancelled', closure.dueAt);
          return 'kept';
        });
      } finally {
        forget(personId);
      }
    },

    of: (personId) => findClosure(database, personId),
  };
}
