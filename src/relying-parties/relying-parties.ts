import type { Ledger } from '../ledger/ledger.ts';
import { nowSeconds } from '../shared/clock.ts';
import { unlessAltered } from '../shared/fault.ts';
import { newId } from '../shared/ids.ts';
import type { Database, Transaction } from '../storage/database.ts';
import { UNJUDGED } from '../storage/guarded-statements.ts';
import type { Tables } from '../storage/tables.ts';
import { OWN_BEHALF } from './accepted-subjects.ts';
import { createPartyCache } from './party-cache.ts';
import { type ParseOptions, parseRelyingParty } from './record.ts';
import type { RelyingParty } from './relying-party.ts';
import type { RecordFault } from './rules.ts';
import type { RelyingPartyRecord } from './schema.ts';
import { digestSecret, newSecret, type SecretDigestAlgorithm } from './secret.ts';
import { isSmOnly } from './sm2-rules.ts';

/** `secret` is present when one was made; it exists nowhere else and is never shown again. */
export type RegistrationOutcome =
  | { readonly ok: true; readonly party: RelyingParty; readonly secret?: string }
  | { readonly ok: false; readonly faults: readonly RecordFault[] };

/** `changed` is false when the party already had that status; no event is written then. */
export type StatusOutcome =
  | { readonly ok: true; readonly changed: boolean }
  | { readonly ok: false; readonly reason: 'unknown' };

export type SecretOutcome =
  | { readonly ok: true; readonly secret: string }
  | { readonly ok: false; readonly reason: 'unknown' | 'has_no_secret' };

/**
 * The register of portals. Every change writes its ledger event in the same transaction; `origin` says in the event where the change
 * came from. Changes by another process are seen within a second.
 */
export interface RelyingParties {
  /** Registers a party; `input` is foreign and checked here. Makes a `client_id` and a secret where the record asks for them. */
  add(input: unknown, origin: string): Promise<RegistrationOutcome>;
  /**
   * Replaces the whole record (RFC 7592 2.2); `client_id` may be left out. The secret stays, unless the new authentication method
   * starts or stops to need one. A record changed by someone else meanwhile is a fault.
   */
  update(clientId: string, input: unknown, origin: string): Promise<RegistrationOutcome>;
  /**
   * The active party of that id. A disabled one is absent, and in a house of SM2 alone one registered for anything else: callers on
   * the protocol path cannot forget to ask.
   */
  find(clientId: string): Promise<RelyingParty | undefined>;
  /** The party of that id whatever its status, for administration. */
  inspect(clientId: string): Promise<RelyingParty | undefined>;
  /** All parties, by id, but for those that were altered: `find` refuses them, and everybody else goes on. */
  list(): Promise<readonly RelyingParty[]>;
  /** Somebody else may have changed portals: what is kept in memory is compared with the store before it is used again. */
  lookAgain(): void;
  disable(clientId: string, origin: string): Promise<StatusOutcome>;
  enable(clientId: string, origin: string): Promise<StatusOutcome>;
  /** Makes a new secret; the old one is refused at once. */
  rotateSecret(clientId: string, origin: string): Promise<SecretOutcome>;
}

type Row = Tables['relying_parties'];

const COLUMNS = 'client_id, record, secret_digest, status, created_at, updated_at';
const SELECT = `SELECT ${COLUMNS} FROM relying_parties WHERE client_id = $1`;
const SELECT_IDS = `SELECT ${UNJUDGED} client_id FROM relying_parties ORDER BY client_id`;
const INSERT = `INSERT INTO relying_parties (${COLUMNS}) VALUES ($1, $2, $3, 'active', $4, $4) ON CONFLICT DO NOTHING`;
const UPDATE = `UPDATE relying_parties SET record = $2, secret_digest = $3, updated_at = $4
  WHERE client_id = $1 AND record = $5 AND secret_digest IS NOT DISTINCT FROM $6`;
const SET_STATUS = 'UPDATE relying_parties SET status = $2, updated_at = $3 WHERE client_id = $1 AND status <> $2';
const SET_SECRET = `UPDATE relying_parties SET secret_digest = $2, updated_at = $3
  WHERE client_id = $1 AND secret_digest IS NOT NULL`;

/** The register on the relational store. */
export function createRelyingParties(
  options: ParseOptions & {
    readonly database: Database;
    readonly ledger: Ledger;
    readonly secretDigest?: SecretDigestAlgorithm;
  },
): RelyingParties {
  const { database, ledger, smOnly = false, secretDigest = smOnly ? 'sm3' : 'sha256' } = options;
  const load = async (clientId: string): Promise<RelyingParty | undefined> => {
    const row = await database.get<Row>(SELECT, [clientId]);
    return row === undefined ? undefined : fromRow(row);
  };
  const cache = createPartyCache(database, load);
  const digest = (secret: string | undefined): string | null =>
    secret === undefined ? null : digestSecret(secret, secretDigest);

  /** Commits a change and only then lets go of the kept row, also when the answer of the commit was lost. */
  const change = async <T>(clientId: string, work: (tx: Transaction) => Promise<T>): Promise<T> => {
    try {
      return await database.write(work);
    } finally {
      cache.forget(clientId);
    }
  };

  const setStatus = (clientId: string, status: Row['status'], origin: string): Promise<StatusOutcome> =>
    change(clientId, async (tx) => {
      if ((await tx.run(SET_STATUS, [clientId, status, nowSeconds()])) === 1) {
        const type = status === 'active' ? 'relying-party.enabled' : 'relying-party.disabled';
        await ledger.append(tx, { type, clientId, details: { origin } });
        return { ok: true, changed: true };
      }
      const row = await tx.get<Row>(SELECT, [clientId]);
      return row === undefined ? { ok: false, reason: 'unknown' } : { ok: true, changed: false };
    });

  return {
    async add(input, origin) {
      const parsed = parseRelyingParty(input, options);
      if (!parsed.ok) return parsed;
      const clientId = parsed.record.client_id ?? newId('rp');
      const record: RelyingPartyRecord = { ...parsed.record, client_id: clientId };
      const secret = needsSecret(record) ? (parsed.chosenSecret ?? newSecret()) : undefined;
      const at = nowSeconds();
      const added = await change(clientId, async (tx) => {
        if ((await tx.run(INSERT, [clientId, JSON.stringify(record), digest(secret), at])) === 0) return false;
        await ledger.append(tx, { type: 'relying-party.added', clientId, details: { origin } });
        return true;
      });
      if (!added) return refused('is registered already');
      return registered(await load(clientId), secret);
    },

    async update(clientId, input, origin) {
      const before = await database.get<Row>(SELECT, [clientId]);
      if (before === undefined) return refused('is not registered');
      const parsed = parseRelyingParty(input, { ...options, allowChosenSecret: false });
      if (!parsed.ok) return parsed;
      if ((parsed.record.client_id ?? clientId) !== clientId) return refused('must not change');
      const record: RelyingPartyRecord = { ...parsed.record, client_id: clientId };
      const fields = changedFields(JSON.parse(before.record), record);
      const secret = needsSecret(record) && before.secret_digest === null ? newSecret() : undefined;
      const kept = needsSecret(record) ? before.secret_digest : null;
      const updated = await change(clientId, async (tx) => {
        const asRead = [before.record, before.secret_digest];
        const parameters = [clientId, JSON.stringify(record), digest(secret) ?? kept, nowSeconds(), ...asRead];
        if ((await tx.run(UPDATE, parameters)) === 0) return false;
        await ledger.append(tx, {
          type: 'relying-party.changed',
          clientId,
          details: { origin, fields, ...beforeAndAfter(JSON.parse(before.record), record, fields) },
        });
        return true;
      });
      return updated ? registered(await load(clientId), secret) : refused('was changed meanwhile: read it again');
    },

    async find(clientId) {
      const party = await cache.read(clientId);
      if (party?.status !== 'active') return undefined;
      return smOnly && !isSmOnly(party.record) ? undefined : party;
    },
    inspect: (clientId) => cache.read(clientId),
    lookAgain: cache.lookAgain,
    async list() {
      const ids = await database.all<Pick<Row, 'client_id'>>(SELECT_IDS, []);
      const parties = await Promise.all(ids.map(({ client_id: id }) => unlessAltered(() => load(id))));
      return parties.filter((party) => party !== undefined);
    },
    disable: (clientId, origin) => setStatus(clientId, 'disabled', origin),
    enable: (clientId, origin) => setStatus(clientId, 'active', origin),

    rotateSecret: (clientId, origin) =>
      change<SecretOutcome>(clientId, async (tx) => {
        const secret = newSecret();
        if ((await tx.run(SET_SECRET, [clientId, digest(secret), nowSeconds()])) === 1) {
          const details = { origin, fields: ['client_secret'] };
          await ledger.append(tx, { type: 'relying-party.changed', clientId, details });
          return { ok: true, secret };
        }
        const row = await tx.get<Row>(SELECT, [clientId]);
        return { ok: false, reason: row === undefined ? 'unknown' : 'has_no_secret' };
      }),
  };
}

const needsSecret = (record: RelyingPartyRecord): boolean =>
  record.token_endpoint_auth_method.startsWith('client_secret');

const refused = (reason: string): RegistrationOutcome => ({ ok: false, faults: [{ field: 'client_id', reason }] });

const registered = (party: RelyingParty | undefined, secret: string | undefined): RegistrationOutcome =>
  party === undefined
    ? refused('was removed meanwhile')
    : { ok: true, party, ...(secret === undefined ? {} : { secret }) };

/** Our own rows were checked when they were written; a frozen tree cannot be changed by one reader for all. */
const fromRow = (row: Row): RelyingParty =>
  freeze({
    clientId: row.client_id,
    // A record of before portals could name the subjects they accept has people act for themselves.
    record: {
      accepts_subjects: [...OWN_BEHALF],
      ...(JSON.parse(row.record) as Omit<RelyingPartyRecord, 'accepts_subjects'>),
    },
    secretDigest: row.secret_digest,
    status: row.status,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  });

function freeze<T extends object>(value: T): T {
  for (const member of Object.values(value)) if (typeof member === 'object' && member !== null) freeze(member);
  return Object.freeze(value);
}

function changedFields(before: Readonly<Record<string, unknown>>, after: Readonly<Record<string, unknown>>): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
}

/** The changed members as they were and as they are, as JSON: what an administrator did can be read without a copy of the store. */
function beforeAndAfter(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
  fields: readonly string[],
): { readonly before: string; readonly after: string } {
  const only = (record: Readonly<Record<string, unknown>>): string =>
    JSON.stringify(Object.fromEntries(fields.map((name) => [name, record[name] ?? null])));
  return { before: only(before), after: only(after) };
}
