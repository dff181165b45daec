import type { Kysely } from 'kysely';
import type pg from 'pg';
import { Fault } from '../shared/fault.ts';
import type { SqlValue, Transaction } from './database.ts';
import {
  type Answer,
  carryOut,
  control,
  type Outcome,
  passingStatement,
  type Statement,
  statement,
} from './postgres-batch.ts';
import { createQueryBuilder } from './query-dialect.ts';
import { translatePostgresError } from './storage-errors.ts';
import type { Tables } from './tables.ts';

/** A statement nobody waits for, and what its failure is called. */
export interface Posted {
  readonly statement: Statement;
  /** Of one that goes with the COMMIT: its place among those of its neighbours. */
  readonly order?: string;
  readonly explain: (error: unknown) => unknown;
}

interface Asked extends Posted {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

/** Nothing was changed: how `demand` makes a statement fail on the server, without anybody looking at its answer. */
const DIVISION_BY_ZERO = '22012';
const demanding = new Map<string, string>();

/** The same statement, failing where it changes no row, or finds none. */
function demandingText(sql: string): string {
  let text = demanding.get(sql);
  if (text === undefined) {
    text = sql.startsWith('SELECT ')
      ? `SELECT 1 / count(*) FROM (${sql}) AS found`
      : `WITH done AS (${sql} RETURNING 1) SELECT 1 / count(*) FROM done`;
    demanding.set(sql, text);
  }
  return text;
}

const isNothingDone = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === DIVISION_BY_ZERO;

/**
 * One write. It takes a connection when the first answer is waited for, and says BEGIN together with that statement; a write that waits for
 * no answer never takes one, and is handed on as what it posted.
 */
export class PostgresTransaction implements Transaction {
  readonly kind = 'transaction';
  readonly #connect: () => Promise<pg.PoolClient>;
  #waiting: (Posted | Asked)[] = [];
  readonly #last: Posted[] = [];
  #client: pg.PoolClient | undefined;
  #sending: Promise<void> | undefined;
  #open = true;
  /** What befell a statement nobody waits for while others were answered: it undoes the write like any other. */
  #failure: { readonly error: unknown } | undefined;
  #query: Kysely<Tables> | undefined;

  constructor(connect: () => Promise<pg.PoolClient>) {
    this.#connect = connect;
  }

  get query(): Kysely<Tables> {
    this.#query ??= createQueryBuilder('postgres', async ({ sql, parameters }) => {
      const { rows, count } = await this.#ask(passingStatement(sql, parameters as readonly SqlValue[]));
      return { rows: [...rows], numAffectedRows: BigInt(count) };
    });
    return this.#query;
  }

  async all<Found>(sql: string, params: readonly SqlValue[]): Promise<Found[]> {
    return (await this.#ask(statement(sql, params))).rows as Found[];
  }

  async get<Found>(sql: string, params: readonly SqlValue[]): Promise<Found | undefined> {
    return (await this.#ask(statement(sql, params))).rows[0] as Found | undefined;
  }

  async run(sql: string, params: readonly SqlValue[]): Promise<number> {
    return (await this.#ask(statement(sql, params))).count;
  }

  post(sql: string, params: readonly SqlValue[], explain: (error: unknown) => unknown = (error) => error): void {
    this.#mustBeOpen();
    this.#waiting.push({ statement: statement(sql, params), explain });
  }

  postLast(sql: string, params: readonly SqlValue[], order: string): void {
    this.#mustBeOpen();
    this.#last.push({ statement: statement(sql, params), order, explain: (error) => error });
  }

  demand(
    sql: string,
    params: readonly SqlValue[],
    lost: () => unknown,
    explain: (error: unknown) => unknown = (error) => error,
  ): void {
    this.post(demandingText(sql), params, (error) => (isNothingDone(error) ? lost() : explain(error)));
  }

  demandRow(sql: string, params: readonly SqlValue[], lost: () => unknown): void {
    this.demand(sql, params, lost);
  }

  /** What was posted and not carried out yet. */
  get posted(): readonly Posted[] {
    return inOrder([...this.#waiting, ...this.#last]);
  }

  /** From here on nobody says anything more. */
  async end(): Promise<void> {
    this.#open = false;
    await this.#sending;
  }

  /** Carries out what is still posted and commits. Throws where the server did not. */
  async commit(client: pg.PoolClient): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error;
    const rest = this.posted;
    const outcome = await carryOut(client, [...rest.map((posted) => posted.statement), control('COMMIT')]);
    const error = settle(rest, outcome);
    if (error !== undefined) throw error;
    // A work that swallowed the error of a statement leaves an aborted transaction, which COMMIT silently undoes.
    if (outcome.answers.at(-1)?.command !== 'COMMIT') throw new Fault('internal', 'A write hid a failed statement');
  }

  #ask(asked: Statement): Promise<Answer> {
    this.#mustBeOpen();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ statement: asked, explain: (error) => error, resolve, reject });
      // What is asked in the same breath goes together.
      this.#sending ??= Promise.resolve().then(() => this.#send());
    });
  }

  async #send(): Promise<void> {
    while (this.#waiting.some((one) => 'resolve' in one)) {
      let client: pg.PoolClient;
      let isFirst = false;
      try {
        isFirst = this.#client === undefined;
        client = this.#client ??= await this.#connect();
      } catch (error) {
        settle(this.#take(), { answers: [], failed: { at: 0, error } });
        break;
      }
      const said = this.#take();
      const statements = said.map((one) => one.statement);
      const outcome = await carryOut(client, isFirst ? [control('BEGIN'), ...statements] : statements);
      const told = isFirst ? behindBegin(outcome) : outcome;
      const error = settle(said, told);
      if (told.failed !== undefined && !('resolve' in (said[told.failed.at] ?? {}))) this.#failure ??= { error };
    }
    this.#sending = undefined;
  }

  #take(): (Posted | Asked)[] {
    const taken = this.#waiting;
    this.#waiting = [];
    return taken;
  }

  #mustBeOpen(): void {
    if (!this.#open) throw new Fault('internal', 'A transaction was used after its write had ended');
  }
}

/** What goes with the COMMIT behind all else, and in the order in which everybody locks it. */
export const inOrder = <One extends Pick<Posted, 'order'>>(said: readonly One[]): readonly One[] =>
  said.some(({ order }) => order !== undefined)
    ? said.toSorted(({ order: one = '' }, { order: other = '' }) => (one < other ? -1 : one > other ? 1 : 0))
    : said;

function behindBegin({ answers, failed }: Outcome): Outcome {
  return failed === undefined
    ? { answers: answers.slice(1) }
    : { answers: answers.slice(1), failed: { at: Math.max(failed.at - 1, 0), error: failed.error } };
}

/** Tells everybody what came of their statement, and returns what the failure is called, if there was one. */
function settle(said: readonly (Posted | Asked)[], { answers, failed }: Outcome): unknown {
  const error = failed && explained(said[failed.at], failed.error);
  for (const [at, one] of said.entries()) {
    if (!('resolve' in one)) continue;
    if (answers[at] !== undefined) one.resolve(answers[at]);
    else one.reject(error);
  }
  return error;
}

/** What a failure is called by the one it befell; that of no statement in particular, as of COMMIT, is the store's own. */
export function explained(posted: Posted | undefined, cause: unknown): unknown {
  const error = translatePostgresError(cause);
  return posted === undefined ? error : posted.explain(error);
}
