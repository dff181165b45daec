import type { Sealer } from '../crypto/sealing.ts';
import type { Ledger, LedgerEvent } from '../ledger/ledger.ts';
import { nowSeconds } from '../shared/clock.ts';
import { newId } from '../shared/ids.ts';
import type { Connection, Database, Transaction } from '../storage/database.ts';
import { holdPerson } from '../storage/row-locks.ts';
import type { Tables } from '../storage/tables.ts';
import type { BoundFactor, FactorKind } from './factor.ts';

/** A factor with what only the code of its kind may see. */
export interface FactorRecord extends BoundFactor {
  /** Whatever the kind keeps: a seed, a public key; in clear here, sealed for its row in the store. */
  readonly secret: string;
  /** What changes with each use: the last accepted step, a signature counter. */
  readonly state: string;
  /** By what it is known outside: digest of a credential id, serial of a token, fingerprint of a certificate. */
  readonly externalKey?: string;
}

export interface NewFactor {
  readonly kind: FactorKind;
  readonly personId: string;
  readonly label: string;
  readonly secret: string;
  readonly state: string;
  readonly externalKey?: string;
}

/** Who or what asked, and from where, for the ledger. */
export interface FactorChange extends Pick<LedgerEvent, 'address' | 'userAgent' | 'correlation' | 'actor'> {
  readonly origin: string;
}

/** `taken`: the external key belongs to somebody, perhaps to this person. */
export type BindOutcome =
  | { readonly ok: true; readonly id: string }
  | { readonly ok: false; readonly reason: 'taken' | 'too_many' };

/**
 * The factors people have bound, of every kind that keeps something. Changes stand in the transaction and the ledger of whoever
 * asks for them; the caller tells the person.
 */
export interface BoundFactors {
  /** Which kinds a person has; opens nothing. */
  kindsOf(personId: string, connection?: Connection): Promise<ReadonlySet<FactorKind>>;
  /** All of a person, the oldest first. */
  list(personId: string, connection?: Connection): Promise<readonly BoundFactor[]>;
  /** All of one kind, with their secrets. */
  records(personId: string, kind: FactorKind, connection?: Connection): Promise<readonly FactorRecord[]>;
  /** The one with this key, whosever it is; undefined for a token in stock as well. */
  byExternalKey(kind: FactorKind, externalKey: string, connection?: Connection): Promise<FactorRecord | undefined>;
  bind(tx: Transaction, factor: NewFactor, change: FactorChange): Promise<BindOutcome>;
  /** Replaces `state` if it is still `from`, and notes the use. False: somebody was faster, and the proof counts for them. */
  use(tx: Transaction, id: string, from: string, to: string): Promise<boolean>;
  /** False when this person has no such factor; `use` and these two never touch somebody else's. */
  rename(tx: Transaction, personId: string, id: string, label: string, change: FactorChange): Promise<boolean>;
  /** Resolves with what was removed. A hardware token goes back to stock: whoever holds it may bind it anew. */
  remove(
    tx: Transaction,
    personId: string,
    id: string,
    change: FactorChange & { readonly cause: string; readonly reason?: string },
  ): Promise<FactorKind | undefined>;
  /** All of an account that is no more; the end of the account is on record. */
  shred(tx: Transaction, personId: string): Promise<void>;
}

type Row = Tables['bound_factors'];
type Listed = Pick<Row, 'id' | 'person_id' | 'kind' | 'label_sealed' | 'bound_at' | 'last_used_at'>;

/** More than anybody needs, and few enough to show on one page. */
export const FACTORS_MAX = 20;
const LABEL_CHARACTERS_MAX = 64;
/** What could break a line or turn the direction of text has no place in a name that is shown (E7). */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+/gu;

const KINDS = 'SELECT kind FROM bound_factors WHERE person_id = $1';
const LIST = `SELECT id, person_id, kind, label_sealed, bound_at, last_used_at FROM bound_factors
  WHERE person_id = $1 ORDER BY bound_at, id`;
const RECORDS = 'SELECT * FROM bound_factors WHERE person_id = $1 AND kind = $2 ORDER BY bound_at, id';
const BY_KEY = 'SELECT * FROM bound_factors WHERE kind = $1 AND external_key = $2 AND person_id IS NOT NULL';
const COUNT = 'SELECT count(*) AS total FROM bound_factors WHERE person_id = $1';
const INSERT = `INSERT INTO bound_factors
  (id, person_id, kind, label_sealed, secret_sealed, state, external_key, created_at, bound_at, last_used_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, NULL) ON CONFLICT DO NOTHING`;
const USE =
  'UPDATE bound_factors SET state = $3, last_used_at = $4 WHERE id = $1 AND state = $2 AND person_id IS NOT NULL';
const RENAME = 'UPDATE bound_factors SET label_sealed = $3 WHERE id = $1 AND person_id = $2';
const KIND = 'SELECT kind FROM bound_factors WHERE id = $1 AND person_id = $2';
const DELETE = 'DELETE FROM bound_factors WHERE id = $1 AND person_id = $2';
const INTO_STOCK = `UPDATE bound_factors SET person_id = NULL, bound_at = NULL, last_used_at = NULL, label_sealed = $3
  WHERE id = $1 AND person_id = $2`;
const IDS = 'SELECT id, kind FROM bound_factors WHERE person_id = $1';

export const factorContext = (column: 'label_sealed' | 'secret_sealed', id: string): string =>
  `bound_factors:${column}:${id}`;

/** A name as it may be kept and shown: one line of bounded length. */
export const factorLabel = (typed: string): string =>
  Array.from(typed.normalize('NFC').replace(UNPRINTABLE, ' ').trim()).slice(0, LABEL_CHARACTERS_MAX).join('');

export function createBoundFactors({
  database,
  sealer,
  ledger,
}: {
  readonly database: Database;
  readonly sealer: Sealer;
  readonly ledger: Ledger;
}): BoundFactors {
  const shown = (row: Listed): BoundFactor => ({
    id: row.id,
    kind: row.kind as FactorKind,
    personId: row.person_id!,
    label: sealer.unseal(row.label_sealed, factorContext('label_sealed', row.id)),
    boundAt: Number(row.bound_at),
    ...(row.last_used_at === null ? {} : { lastUsedAt: Number(row.last_used_at) }),
  });
  /** A token that goes back to stock keeps nothing of who had it; everything else goes. */
  const letGo = (tx: Transaction, personId: string, { id, kind }: Pick<Row, 'id' | 'kind'>): Promise<number> =>
    kind === 'otp_token'
      ? tx.run(INTO_STOCK, [id, personId, sealer.seal('', factorContext('label_sealed', id))])
      : tx.run(DELETE, [id, personId]);
  const opened = (row: Row): FactorRecord => ({
    ...shown(row),
    secret: sealer.unseal(row.secret_sealed, factorContext('secret_sealed', row.id)),
    state: row.state,
    ...(row.external_key === null ? {} : { externalKey: row.external_key }),
  });

  return {
    async kindsOf(personId, connection = database) {
      const rows = await connection.all<{ kind: FactorKind }>(KINDS, [personId]);
      return new Set(rows.map(({ kind }) => kind));
    },
    async list(personId, connection = database) {
      return (await connection.all<Listed>(LIST, [personId])).map(shown);
    },
    async records(personId, kind, connection = database) {
      return (await connection.all<Row>(RECORDS, [personId, kind])).map(opened);
    },
    async byExternalKey(kind, externalKey, connection = database) {
      const row = await connection.get<Row>(BY_KEY, [kind, externalKey]);
      return row && opened(row);
    },

    async bind(tx, { kind, personId, label, secret, state, externalKey }, { origin, ...from }) {
      await holdPerson(tx, database.engine, personId);
      if (Number((await tx.get<{ total: number }>(COUNT, [personId]))?.total ?? 0) >= FACTORS_MAX)
        return { ok: false, reason: 'too_many' };
      const id = newId('fct');
      const written = await tx.run(INSERT, [
        id,
        personId,
        kind,
        sealer.seal(factorLabel(label), factorContext('label_sealed', id)),
        sealer.seal(secret, factorContext('secret_sealed', id)),
        state,
        externalKey ?? null,
        nowSeconds(),
      ]);
      if (written === 0) return { ok: false, reason: 'taken' };
      await ledger.append(tx, { ...from, type: 'factor.bound', personId, details: { origin, kind, factor: id } });
      return { ok: true, id };
    },

    async use(tx, id, from, to) {
      return (await tx.run(USE, [id, from, to, nowSeconds()])) === 1;
    },

    async rename(tx, personId, id, label, { origin, ...from }) {
      const sealed = sealer.seal(factorLabel(label), factorContext('label_sealed', id));
      const kind = (await tx.get<{ kind: FactorKind }>(KIND, [id, personId]))?.kind;
      if (kind === undefined || (await tx.run(RENAME, [id, personId, sealed])) === 0) return false;
      await ledger.append(tx, { ...from, type: 'factor.renamed', personId, details: { origin, kind, factor: id } });
      return true;
    },

    async remove(tx, personId, id, { origin, cause, reason, ...from }) {
      const kind = (await tx.get<{ kind: FactorKind }>(KIND, [id, personId]))?.kind;
      if (kind === undefined) return undefined;
      if ((await letGo(tx, personId, { id, kind })) === 0) return undefined;
      const details = { origin, kind, factor: id, cause, ...(reason === undefined ? {} : { reason }) };
      await ledger.append(tx, { ...from, type: 'factor.removed', personId, details });
      return kind;
    },

    async shred(tx, personId) {
      for (const row of await tx.all<Pick<Row, 'id' | 'kind'>>(IDS, [personId])) await letGo(tx, personId, row);
    },
  };
}
