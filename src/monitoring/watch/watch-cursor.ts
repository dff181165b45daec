import { nowMs, nowSeconds } from '../../shared/clock.ts';
import { newId } from '../../shared/ids.ts';
import type { Connection, Database, Transaction } from '../../storage/database.ts';
import type { About } from './rule.ts';

/** Something that must follow, such as the recovery of a feed, or the rule fires. */
export interface Awaited {
  readonly rule: string;
  readonly about: About;
  readonly seq: number;
  readonly dueMs: number;
}

/** A response that is owed: written with the alert, taken away when it was done. */
export interface OwedResponse {
  readonly id: string;
  readonly incident: string;
  readonly rule: string;
  readonly kind: 'notify' | 'challenge' | 'lock' | 'end-sessions';
  readonly about: About;
  readonly seconds: number;
  readonly attempts: number;
  readonly dueMs: number;
}

/** What the watch keeps beside its place in the ledger. `holder` watches until `untilMs` and nobody else does. */
export interface WatchState {
  readonly holder: string;
  readonly untilMs: number;
  readonly awaited: readonly Awaited[];
  readonly owed: readonly OwedResponse[];
}

/** Where the watch stands, and everything that is written with it in one transaction. */
export interface WatchPlace {
  readonly nextSeq: number;
  readonly awaited: readonly Awaited[];
  readonly owed: readonly OwedResponse[];
}

/** Another node watches now: whatever was about to be written is undone. */
export class LeaseLost extends Error {
  constructor() {
    super('another node has taken over the watch');
    this.name = 'LeaseLost';
  }
}

const NAME = 'watch';
const LEASE_MS = 30_000;
const RENEW_AFTER_MS = 10_000;
/** A lease that ends later than this was taken by a clock that has been set since; nodes differ by seconds (X8). */
const AHEAD_MS_MAX = 3 * LEASE_MS;

const INSERT = `INSERT INTO follower_cursors (name, next_seq, updated_at, state) VALUES ('${NAME}', 0, $1, $2)
  ON CONFLICT (name) DO NOTHING`;
const FIND = `SELECT next_seq, state FROM follower_cursors WHERE name = '${NAME}'`;
const COMPARE_AND_SET = `UPDATE follower_cursors SET next_seq = $2, updated_at = $3, state = $4
  WHERE name = '${NAME}' AND state = $1`;
const NOBODY: WatchState = { holder: '', untilMs: 0, awaited: [], owed: [] };

/**
 * The cursor of the watch with the lease in its state. Every write compares the whole state with what this node wrote last, so two
 * nodes that both believe to hold the lease, because a clock is wrong, cannot both write.
 */
export class WatchCursor {
  readonly #database: Database;
  readonly #holder = newId('watch');
  /** The state as this node wrote it last; undefined while it does not hold the lease. */
  #written: string | undefined;
  #untilMs = 0;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Takes the lease when it is free or over. Resolves with where the watch stands, or undefined while another node holds it. */
  async take(): Promise<WatchPlace | undefined> {
    this.#written = undefined;
    const row = (await this.#row()) ?? (await this.#begin());
    if (row === undefined) return undefined;
    const state = JSON.parse(row.state) as WatchState;
    const leftMs = state.untilMs - nowMs();
    if (state.holder !== this.#holder && leftMs > 0 && leftMs <= AHEAD_MS_MAX) return undefined;
    const nextSeq = Number(row.next_seq);
    const place: WatchPlace = { nextSeq, awaited: state.awaited, owed: state.owed };
    const next = this.#stateOf(place);
    if (!(await this.#set(this.#database, row.state, nextSeq, next))) return undefined;
    this.#confirm(next);
    return place;
  }

  get isHeld(): boolean {
    return this.#written !== undefined && this.#untilMs > nowMs();
  }

  get isDueForRenewal(): boolean {
    return this.#untilMs - nowMs() < LEASE_MS - RENEW_AFTER_MS;
  }

  /**
   * Saves the place within a transaction and renews the lease with it. Returns what to call when the transaction is durable.
   * Throws `LeaseLost` when another node has written meanwhile.
   */
  async save(tx: Transaction, place: WatchPlace): Promise<() => void> {
    const state = this.#stateOf(place);
    if (this.#written === undefined || !(await this.#set(tx, this.#written, place.nextSeq, state))) {
      this.#written = undefined;
      throw new LeaseLost();
    }
    return () => this.#confirm(state);
  }

  /** Lets others have the lease at once. */
  async release(place: WatchPlace): Promise<void> {
    if (this.#written === undefined) return;
    const before = this.#written;
    this.#written = undefined;
    await this.#set(this.#database, before, place.nextSeq, { ...this.#stateOf(place), untilMs: 0 });
  }

  #row(): Promise<{ next_seq: number; state: string } | undefined> {
    return this.#database.get(FIND, []);
  }

  async #begin(): Promise<{ next_seq: number; state: string } | undefined> {
    await this.#database.run(INSERT, [nowSeconds(), JSON.stringify(NOBODY)]);
    return this.#row();
  }

  #stateOf({ awaited, owed }: WatchPlace): WatchState {
    return { holder: this.#holder, untilMs: nowMs() + LEASE_MS, awaited, owed };
  }

  #confirm(state: WatchState): void {
    this.#written = JSON.stringify(state);
    this.#untilMs = state.untilMs;
  }

  async #set(connection: Connection, before: string, nextSeq: number, state: WatchState): Promise<boolean> {
    const values = [before, nextSeq, nowSeconds(), JSON.stringify(state)];
    return (await connection.run(COMPARE_AND_SET, values)) === 1;
  }
}
