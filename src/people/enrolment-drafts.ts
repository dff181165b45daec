import type { BlindIndex } from '../crypto/blind-index.ts';
import { tokenDigest } from '../crypto/digests.ts';
import type { Sealer } from '../crypto/sealing.ts';
import { nowSeconds } from '../shared/clock.ts';
import { newId } from '../shared/ids.ts';
import { randomToken } from '../shared/random.ts';
import type { Database, Transaction } from '../storage/database.ts';
import { oneOf } from '../storage/one-of.ts';
import type { IdentityDocument } from './documents/document.ts';

/**
 * Where an enrolment stands: what it asks for next. `identity`: the register did not answer; `exists`: everything is proven, and
 * the document has an account; `confirm`: opened at a counter, the person has not confirmed yet.
 */
export type DraftStep = 'identity' | 'phone' | 'code' | 'password' | 'exists' | 'confirm';

/** What is known so far; sealed as a whole. */
export interface DraftContent {
  readonly document: IdentityDocument;
  readonly name: string;
  /** The browser it belongs to, by its random name; empty while a counter waits for the person. */
  readonly browser: string;
  /** Who vouched for name and number. */
  readonly source?: string;
  /** In E.164. Proven in the steps after `code`. */
  readonly phone?: string;
  /** The sign-in that waits for it. */
  readonly continue?: string;
  /** The staff member who opened it at a counter. */
  readonly act?: string;
}

export interface Draft {
  readonly id: string;
  readonly kind: 'self' | 'counter';
  readonly step: DraftStep;
  readonly version: number;
  readonly content: DraftContent;
}

/** What a draft becomes. */
export interface DraftChange {
  readonly step: DraftStep;
  readonly content: DraftContent;
}

/**
 * Enrolments that are not finished. A person finds theirs by a random secret in a cookie; the store holds its digest. Every change
 * names the version it was made on: of two made on one version the second changes nothing. A draft that nobody goes on with ends
 * by itself.
 */
export interface EnrolmentDrafts {
  /** Resolves with the secret for the cookie (192 bits). */
  begin(
    tx: Transaction,
    kind: Draft['kind'],
    change: DraftChange,
  ): Promise<{ readonly id: string; readonly secret: string }>;
  find(secret: string | undefined, browser: string | undefined): Promise<Draft | undefined>;
  /** The one a counter has opened for this document and nobody has confirmed; the newest if there are several. */
  findAtCounter(document: IdentityDocument): Promise<Draft | undefined>;
  findById(id: string): Promise<Draft | undefined>;
  /** False when the draft has changed or ended meanwhile. */
  advance(tx: Transaction, draft: Draft, change: DraftChange): Promise<boolean>;
  /** Hands a draft from a counter to the browser of the person; resolves with the new secret, or undefined as `advance` with false. */
  handOver(tx: Transaction, draft: Draft, change: DraftChange): Promise<string | undefined>;
  /** False when the draft has changed or ended meanwhile. */
  end(tx: Transaction, draft: Draft): Promise<boolean>;
  /** Deletes up to `limit` drafts whose time is over; resolves with how many. */
  sweep(limit: number): Promise<number>;
}

const SECRET_CHARS = 32;
const SECRET = new RegExp(`^[\\w-]{${SECRET_CHARS}}$`);

interface Row {
  readonly id: string;
  readonly kind: Draft['kind'];
  readonly step: DraftStep;
  readonly version: number;
  readonly sealed: Uint8Array;
}

const COLUMNS = 'id, kind, step, version, sealed';
const INSERT = `INSERT INTO enrolment_drafts
  (id, secret_digest, kind, step, version, number_index, sealed, created_at, expires_at)
  VALUES ($1, $2, $3, $4, 1, $5, $6, $7, $8)`;
const SELECT_BY_SECRET = `SELECT ${COLUMNS} FROM enrolment_drafts WHERE secret_digest = $1 AND expires_at > $2`;
const SELECT_BY_ID = `SELECT ${COLUMNS} FROM enrolment_drafts WHERE id = $1 AND expires_at > $2`;
const selectAtCounter = oneOf(
  (list) => `SELECT ${COLUMNS} FROM enrolment_drafts
  WHERE kind = 'counter' AND step = 'confirm' AND expires_at > $1 AND number_index ${list} ORDER BY id DESC LIMIT 1`,
  2,
);
const UPDATE = `UPDATE enrolment_drafts SET step = $3, version = version + 1, number_index = $4, sealed = $5
  WHERE id = $1 AND version = $2 AND expires_at > $6`;
const HAND_OVER = 'UPDATE enrolment_drafts SET secret_digest = $2 WHERE id = $1';
const DELETE = 'DELETE FROM enrolment_drafts WHERE id = $1 AND version = $2 AND expires_at > $3';
const SWEEP = `DELETE FROM enrolment_drafts WHERE id IN
  (SELECT id FROM enrolment_drafts WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`;

const contextOf = (id: string): string => `enrolment_drafts:sealed:${id}`;

export interface EnrolmentDraftSources {
  readonly database: Database;
  readonly sealer: Sealer;
  readonly index: BlindIndex;
  readonly lifetimeSeconds: number;
}

export function createEnrolmentDrafts(sources: EnrolmentDraftSources): EnrolmentDrafts {
  const { database, sealer, index, lifetimeSeconds } = sources;
  const sealed = (id: string, content: DraftContent) => sealer.seal(JSON.stringify(content), contextOf(id));
  const opened = (row: Row | undefined): Draft | undefined =>
    row && {
      id: row.id,
      kind: row.kind,
      step: row.step,
      version: Number(row.version),
      content: JSON.parse(sealer.unseal(row.sealed, contextOf(row.id))) as DraftContent,
    };

  const advance: EnrolmentDrafts['advance'] = async (tx, { id, version }, { step, content }) => {
    const values = [id, version, step, index.of(content.document), sealed(id, content), nowSeconds()];
    return (await tx.run(UPDATE, values)) === 1;
  };

  return {
    advance,
    async begin(tx, kind, { step, content }) {
      const id = newId('enr');
      const secret = randomToken(SECRET_CHARS);
      const now = nowSeconds();
      const where = [id, tokenDigest(secret), kind, step, index.of(content.document)];
      await tx.run(INSERT, [...where, sealed(id, content), now, now + lifetimeSeconds]);
      return { id, secret };
    },
    async find(secret, browser) {
      if (secret === undefined || browser === undefined || !SECRET.test(secret)) return undefined;
      const draft = opened(await database.get<Row>(SELECT_BY_SECRET, [tokenDigest(secret), nowSeconds()]));
      return draft?.content.browser === browser ? draft : undefined;
    },
    async findAtCounter(document) {
      const digests = index.candidates(document);
      return opened(await database.get<Row>(selectAtCounter(digests.length), [nowSeconds(), ...digests]));
    },
    async findById(id) {
      return opened(await database.get<Row>(SELECT_BY_ID, [id, nowSeconds()]));
    },
    async handOver(tx, draft, change) {
      if (!(await advance(tx, draft, change))) return undefined;
      const secret = randomToken(SECRET_CHARS);
      await tx.run(HAND_OVER, [draft.id, tokenDigest(secret)]);
      return secret;
    },
    end: async (tx, { id, version }) => (await tx.run(DELETE, [id, version, nowSeconds()])) === 1,
    sweep: (limit) => database.run(SWEEP, [nowSeconds(), limit]),
  };
}
