import { type Adapter, type AdapterPayload, errors } from 'oidc-provider';
import { tokenDigest } from '../crypto/digests.ts';
import { demandActive } from '../people/active-person.ts';
import { nowSeconds } from '../shared/clock.ts';
import { Fault } from '../shared/fault.ts';
import type { ArtifactChange, ArtifactKeys, ArtifactStore } from '../storage/artifact-store.ts';
import type { Database, Transaction } from '../storage/database.ts';
import type { CarriedCodes } from './carried-codes.ts';
import type { SealedHints } from './sealed-hints.ts';
import {
  type Authorizations,
  endSessionRow,
  findSessionById,
  findSessionByUid,
  onlySlides,
  type SessionRow,
  type SessionWrite,
  writeSession,
} from './session-rows.ts';
import { issueTimeOf, prefixOf } from './token-ids.ts';
import { currentUnit, type UnitOfWork } from './unit-of-work.ts';

/** The library tolerates clocks this far apart; rows are kept as much longer so that it can judge them itself. */
export const CLOCK_TOLERANCE_SECONDS = 15;

/**
 * How long the mark of a spent code outlives the code it was carried by. A code that is kept is gone with its row whatever a clock says; of one that is carried the mark
 * alone tells a node whose clock is behind that it was spent.
 */
const MARK_OUTLIVES_SECONDS = 300;

/** Ids of these models are secrets in somebody's hands: stored as digests, so a copy of the store opens nothing. */
const SECRET_IDS = new Set([
  'AccessToken',
  'AuthorizationCode',
  'ClientCredentials',
  'Interaction',
  'PushedAuthorizationRequest',
  'RefreshToken',
]);

/** Models that may hold the `login_hint` of a portal. */
const HINTED: ReadonlySet<string> = new Set(['Interaction', 'PushedAuthorizationRequest']);

/** Thrown when a replay mark exists already; `ReplayDetection.unique` (shadows.ts) turns it into `false`. */
export class AlreadyMarked extends Error {}

export interface AdapterSources {
  readonly hints: SealedHints;
  readonly carriedCodes: CarriedCodes;
  readonly store: ArtifactStore;
  readonly database: Database;
  /** Told of an interaction that a request has brought, before anything of it is looked up. */
  readonly interactionTaken: (interaction: AdapterPayload) => void;
  /** The protocol metadata of an active relying party. */
  readonly findClient: (clientId: string) => Promise<Record<string, unknown> | undefined>;
  /** Seconds in which a spent refresh token may be presented again to get the same answer (A8). */
  readonly refreshRetrySeconds: number;
}

/** Answers the library's storage questions from our store; see unit-of-work.ts for when changes are written. */
export class ArtifactAdapter implements Adapter {
  readonly #model: string;
  readonly #sources: AdapterSources;
  readonly #prefix: string | undefined;
  readonly #secret: boolean;

  constructor(model: string, sources: AdapterSources) {
    this.#model = model;
    this.#sources = sources;
    this.#prefix = prefixOf(model);
    this.#secret = SECRET_IDS.has(model);
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    if (this.#model === 'Client') return this.#sources.findClient(id) as Promise<AdapterPayload | undefined>;
    if (this.#prefix !== undefined && !id.startsWith(this.#prefix)) return undefined;
    if (this.#isCarried(id)) {
      const code = this.#sources.carriedCodes.read(id);
      return code && { ...code.kept, jti: id };
    }
    const key = this.#key(id);
    const unit = currentUnit();
    const pending = unit?.pending(this.#model, key);
    if (pending === null) return undefined;
    const artifact = pending ?? (await this.#sources.store.find(this.#model, key));
    if (!artifact) return undefined;
    const opened = HINTED.has(this.#model) ? this.#sources.hints.open(artifact.payload, key) : artifact.payload;
    const payload: AdapterPayload = { ...opened, jti: id };
    if (this.#model === 'Interaction' && pending === undefined) this.#sources.interactionTaken(payload);
    if (artifact.consumedAt !== null && !this.#mayRetry(artifact.consumedAt)) {
      payload.consumed = artifact.consumedAt;
      unit?.replayed.set(this.#model, payload.accountId);
    }
    return payload;
  }

  /**
   * A refresh token spent a moment ago is shown to the library as fresh: it makes all its checks, and the commit, which finds
   * it spent, lets the same answer leave once more (commit.ts). After that it is a replay.
   */
  #mayRetry(consumedAt: number): boolean {
    return this.#model === 'RefreshToken' && nowSeconds() - consumedAt < this.#sources.refreshRetrySeconds;
  }

  async upsert(id: string, payload: AdapterPayload, expiresIn: number): Promise<void> {
    const expiresAt = nowSeconds() + expiresIn + CLOCK_TOLERANCE_SECONDS;
    const key = this.#key(id);
    if (this.#model === 'ReplayDetection') {
      const outcome = await this.#sources.store.apply([{ kind: 'mark', model: this.#model, id: key, expiresAt }]);
      if (!outcome.ok) throw new AlreadyMarked(this.#model);
      return;
    }
    // Not deleted: an object that has lost a member is a dictionary to V8 from then on. What is undefined is not written.
    const stored: AdapterPayload = this.#secret ? { ...payload, jti: undefined } : { ...payload };
    // The interaction remembers the session's cookie, which opens it; the library never reads it back.
    if (this.#model === 'Interaction' && stored.session) stored.session = { ...stored.session, cookie: undefined };
    await this.#change({
      kind: 'put',
      model: this.#model,
      id: key,
      payload: HINTED.has(this.#model) ? this.#sources.hints.seal(stored, key) : stored,
      keys: keysOf(this.#model, payload),
      expiresAt,
    });
  }

  async findByUid(uid: string): Promise<AdapterPayload | undefined> {
    const found = await this.#sources.store.findByUid(this.#model, uid);
    return found && (found.payload as AdapterPayload);
  }

  async findByUserCode(userCode: string): Promise<AdapterPayload | undefined> {
    const found = await this.#sources.store.findByUserCode(this.#model, userCode);
    return found && (found.payload as AdapterPayload);
  }

  /** Only noted here: the compare-and-set happens in the commit, together with everything it pays for. */
  async consume(id: string): Promise<void> {
    const change = this.#consumption(id);
    const unit = currentUnit();
    if (unit) return unit.change(change);
    const outcome = await this.#sources.store.apply([change]);
    if (!outcome.ok) throw new errors.InvalidGrant(`${this.#model} was already used`);
  }

  #consumption(id: string): ArtifactChange {
    const [kind, model] = ['consume', this.#model] as const;
    if (!this.#isCarried(id)) return { kind, model, id: this.#key(id) };
    const code = this.#sources.carriedCodes.read(id);
    if (code === undefined) throw new errors.InvalidGrant('a code that this house has not written cannot be spent');
    return { kind, model, id: code.key, carriedUntil: (code.kept.exp ?? 0) + MARK_OUTLIVES_SECONDS };
  }

  #isCarried(id: string): boolean {
    return this.#model === 'AuthorizationCode' && this.#sources.carriedCodes.isCarried(id);
  }

  async destroy(id: string): Promise<void> {
    const key = this.#key(id);
    const change = { kind: 'destroy', model: this.#model, id: key } as const;
    // An interaction is taken away by whoever answers it: of a step that was taken twice at once one counts (A2). One begun in this request is not there yet.
    const isOnce = this.#model === 'Interaction' && !currentUnit()?.pending(this.#model, key);
    await this.#change(isOnce ? { ...change, isOnce } : change);
  }

  async revokeByGrantId(grantId: string): Promise<void> {
    await this.#change({ kind: 'revokeGrant', grantId, models: [this.#model] });
  }

  /** A typed token's time of issue leads its key, so that rows made together lie together in the b-tree (token-ids.ts). */
  #key(id: string): string {
    if (!this.#secret) return id;
    return this.#prefix === undefined ? tokenDigest(id) : issueTimeOf(id, this.#prefix) + tokenDigest(id);
  }

  async #change(change: ArtifactChange): Promise<void> {
    const unit = currentUnit();
    if (unit) unit.change(change);
    else await this.#sources.store.apply([change]);
  }
}

/** The columns an artifact is found by. Tokens hang on their grant, so only grants carry the account (fewer index writes). */
function keysOf(model: string, payload: AdapterPayload): ArtifactKeys {
  if (model === 'Grant') return { ...(payload.accountId === undefined ? {} : { accountId: payload.accountId }) };
  return {
    ...(payload.grantId === undefined || model === 'Interaction' ? {} : { grantId: payload.grantId }),
    ...(payload.userCode === undefined ? {} : { userCode: payload.userCode }),
  };
}

/** Sessions live in rows of their own, merged rather than overwritten (session-rows.ts). */
export class SessionAdapter implements Adapter {
  readonly #database: Database;
  readonly #read = new WeakMap<UnitOfWork, Map<string, SessionRow>>();
  readonly #byUid = new WeakMap<UnitOfWork, SessionRow>();

  constructor(database: Database) {
    this.#database = database;
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    const digest = tokenDigest(id);
    const row = this.#foundByUid(digest) ?? (await findSessionById(this.#database, digest));
    if (!row) return undefined;
    this.#remember(row);
    return payloadOf(row, id);
  }

  async findByUid(uid: string): Promise<AdapterPayload | undefined> {
    const row = await findSessionByUid(this.#database, uid);
    const unit = currentUnit();
    if (unit && row) this.#byUid.set(unit, row);
    return row && payloadOf(row, undefined);
  }

  /** An interaction looks up the session it began with, and its page then asks whose session this is: mostly the same row. */
  #foundByUid(digest: string): SessionRow | undefined {
    const unit = currentUnit();
    const row = unit && this.#byUid.get(unit);
    // For the page, and for what goes on at once after an answer; not where a password has taken its time in between.
    return row?.idDigest === digest && !unit?.readsAnew ? row : undefined;
  }

  async upsert(id: string, payload: AdapterPayload, expiresIn: number): Promise<void> {
    const { jti: _jti, authorizations, ...rest } = payload;
    const unit = currentUnit();
    const write: SessionWrite = {
      uid: String(payload.uid),
      idDigest: tokenDigest(id),
      accountId: payload.accountId ?? null,
      payload: rest,
      authorizations: (authorizations ?? {}) as Authorizations,
      expiresAt: nowSeconds() + expiresIn,
      readAs: unit && this.#read.get(unit)?.get(String(payload.uid)),
      mayBeginAnew: unit?.mayBeginAnew === true,
      address: unit?.address ?? null,
      userAgent: unit?.userAgent ?? null,
    };
    if (onlySlides(write)) return;
    if (unit) unit.also((tx) => this.#write(tx, write));
    else await this.#database.write((tx) => this.#write(tx, write));
  }

  /** Nobody gets a session whose account was shut, merged or closed between their proof and this commit. */
  async #write(tx: Transaction, write: SessionWrite): Promise<void> {
    const { accountId, readAs } = write;
    const begins = accountId !== null && accountId !== readAs?.accountId;
    const isShut = (): Fault => new Fault('ceremony_expired', 'the account was shut while its person signed in');
    if (begins) demandActive(tx, this.#database.engine, accountId, isShut);
    await writeSession(tx, this.#database.engine, write);
  }

  /** The id given up at a rotation: its row lives on under the uid. Sign-out comes through `end`. */
  async destroy(_id: string): Promise<void> {}

  /** Ends the session of this uid for good. */
  async end(uid: string): Promise<void> {
    const work = async (tx: Transaction): Promise<void> => {
      await endSessionRow(tx, uid);
    };
    const unit = currentUnit();
    if (unit) unit.also(work);
    else await this.#database.write(work);
  }

  async consume(): Promise<void> {
    throw new TypeError('a session is never consumed');
  }

  async findByUserCode(): Promise<undefined> {
    return undefined;
  }

  async revokeByGrantId(): Promise<void> {
    throw new TypeError('a session belongs to no single grant');
  }

  #remember(row: SessionRow): void {
    const unit = currentUnit();
    if (!unit) return;
    const rows = this.#read.get(unit) ?? new Map<string, SessionRow>();
    rows.set(row.uid, row);
    this.#read.set(unit, rows);
  }
}

/** The library mutates what it gets; what was read must stay as it was for the merge, hence the copy. */
function payloadOf(row: SessionRow, id: string | undefined): AdapterPayload {
  return {
    ...row.payload,
    ...(id === undefined ? {} : { jti: id }),
    authorizations: Object.fromEntries(
      Object.entries(row.authorizations).map(([clientId, held]) => [clientId, { ...held }]),
    ),
  } as AdapterPayload;
}
