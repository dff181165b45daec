import { generateKeyPairSync } from 'node:crypto';
import { type CookieKeys, createCookieKeys } from '../../src/crypto/cookie-keys.ts';
import { tokenDigest } from '../../src/crypto/digests.ts';
import { issueTimeOf, typedId } from '../../src/oidc/token-ids.ts';
import { nowSeconds } from '../../src/shared/clock.ts';
import { randomToken } from '../../src/shared/random.ts';
import { type ListedActing, mandateOf, TEA } from './acting.ts';
import { askAlways, bindApp, somebody } from './second-factor.ts';
import { LI, type TestPortal, type TestServer, WANG } from './server.ts';

const CODE_FLOW = ['authorization_code', 'refresh_token'] as const;
const TOLD = 'https://portal.example/told';
const { kty, crv, x, y } = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });
const PORTAL_KEY = { kty, crv, x, y, alg: 'ES256', use: 'sig', kid: 'portal' };
/** Portals of every kind that an authorization request meets. */
const RECORDS = {
  home: {},
  open: { token_endpoint_auth_method: 'none', grant_types: CODE_FLOW },
  common: { subject_type: 'public', grant_types: CODE_FLOW },
  sm2: { id_token_signed_response_alg: 'SGD_SM3_SM2' },
  asked: { redirect_uris: ['https://portal.example/callback?from=%20a&b=c+d'] },
  placed: {
    sector: 'portal.example',
    redirect_uris: [
      'https://portal.example:8443/callback',
      'https://portal.example/',
      'https://portal.example/%7Ecallback%20',
      'https://xn--fiqs8s.example/callback',
      'http://localhost:3001/callback',
    ],
  },
  told: { backchannel_logout_uri: TOLD, backchannel_logout_session_required: true },
  quiet: { backchannel_logout_uri: TOLD },
  signing: { require_signed_request_object: true, request_object_signing_alg: 'ES256', jwks: { keys: [PORTAL_KEY] } },
  sealed: { response_modes: ['jwt', 'query.jwt'], authorization_signed_response_alg: 'ES256' },
  formed: { response_modes: ['form_post'] },
  both: { response_modes: ['query', 'form_post'] },
  native: { application_type: 'native', redirect_uris: ['http://127.0.0.1/callback'] },
  fresh: { require_auth_time: true },
  aged: { default_max_age: 3600 },
  pushing: { require_pushed_authorization_requests: true },
  bound: { dpop_bound_access_tokens: true },
  modest: { scope: 'openid' },
  first: { first_party: true },
  purposeful: { purpose: '办理社保', notice_version: '1' },
  eager: { scope: 'openid profile identity phone' },
  renewed: { purpose: '办理社保', notice_version: '1' },
  business: { accepts_subjects: ['natural', 'legal', 'represented'] },
  companies: { accepts_subjects: ['legal'] },
  second: { minimum_acr: 'urn:tongban:acr:2' },
  strict: { minimum_acr: 'urn:tongban:acr:3' },
  top: { minimum_acr: 'urn:tongban:acr:4' },
  staff: { staff_only: true, grant_types: ['authorization_code'] },
  shut: {},
} as const;
export type PortalName = keyof typeof RECORDS;
export type PersonName = 'wang' | 'li' | 'careful' | 'clerk' | 'nobody';

type Payload = Readonly<Record<string, unknown>>;

/** What is different about a session and its grant. Small numbers for `exp`, `loginTs` and the `at` of proofs are seconds from now. */
export interface Likeness {
  readonly of?: PersonName;
  readonly session?: Payload;
  /** What it keeps of proofs. */
  readonly proofs?: readonly Payload[];
  /** What it holds of the portal; `none` where it has never opened it. */
  readonly held?: Payload | 'none';
  /** `gone` for a grant that is no more. */
  readonly grant?: Payload | 'gone';
  readonly secondsLeft?: number;
  readonly ended?: boolean;
  /** What its cookie is called, where that is not `tongban`. */
  readonly cookie?: string;
  /** Under which key its cookie is signed; the one in use unless told otherwise. */
  readonly keys?: CookieKeys;
}

/** A browser with a session that nobody else has. */
export interface Twin {
  readonly portal: TestPortal;
  readonly cookie: string;
  readonly id: string;
  readonly signature: string;
  readonly uid: string;
  readonly grantId: string;
  readonly sid: string;
}

const FAMILY_SECONDS = 5000;
const SOON = 100_000;

/** For whom a grant was made, as it stands in the grant. */
export const actingAs = (reference: string, origin = 'page'): Payload => ({
  rar: [{ type: 'urn:tongban:acting-as', acting_as: reference, origin }],
});

/** How a proof stands in a session. */
export const proof = (factor: string, strength: string, at = -60): Payload => ({ factor, strength, amr: [factor], at });

/** Makes signed-in browsers in pairs, alike and each with a session and grants of its own, so that both ways have one. */
export class SessionTwins {
  readonly #server: TestServer;
  readonly #acting: ListedActing;
  readonly #keys: CookieKeys;
  readonly #portals = new Map<string, TestPortal>();
  readonly #people = new Map<string, string>([['nobody', 'psn_nobody']]);
  #session: Payload = {};
  #grant: Payload = {};
  /** A company that Wang may act for, and a child. */
  company = '';
  readonly child = 'mdt_kid';

  constructor(server: TestServer, acting: ListedActing) {
    this.#server = server;
    this.#acting = acting;
    this.#keys = createCookieKeys(server.house.config.secrets.cookieKeys);
  }

  portal(name: PortalName): TestPortal {
    return this.#portals.get(name)!;
  }

  person(name: PersonName): string {
    return this.#people.get(name)!;
  }

  async prepare(): Promise<void> {
    const { house } = this.#server;
    for (const [name, record] of Object.entries(RECORDS))
      this.#portals.set(name, await this.#server.addPortal({ ...record }));
    const wang = await this.#server.addPerson(WANG);
    const [careful, clerk] = [await somebody(this.#server), await somebody(this.#server)];
    const people = { wang, li: await this.#server.addPerson(LI), careful: careful.id, clerk: clerk.id };
    for (const [name, id] of Object.entries(people)) this.#people.set(name, id);
    this.company = this.#acting.add(wang, TEA, { mandate: mandateOf('mdt_twins') });
    const child = { kind: 'natural', ref: this.child, role: 'guardian', personId: 'psn_kid', name: '王小小' } as const;
    this.#acting.put(wang, { ...child, mandate: mandateOf(this.child) });
    await this.#signIn();
    await bindApp(this.#server, careful.id);
    await askAlways(this.#server, careful.id);
    await house.staff.add(clerk.id, 'audit', 'test');
    await house.persons.disable(this.person('li'), 'test');
    await house.relyingParties.disable(this.portal('shut').id, 'test');
  }

  /** Consents are remembered of four portals; one of them has another notice since then. */
  async #signIn(): Promise<void> {
    const browser = this.#server.browser();
    const query = { scope: 'openid profile identity' };
    const callback = await this.#server.signIn(browser, this.portal('home'), { query });
    for (const name of ['purposeful', 'renewed', 'eager'] as const)
      await this.#server.signIn(browser, this.portal(name), { query });
    const { store, database, relyingParties } = this.#server.house;
    const { payload } = (await store.find('AuthorizationCode', keyOf(String(callback.searchParams.get('code')))))!;
    this.#grant = (await store.find('Grant', String(payload.grantId)))!.payload;
    const sql = 'SELECT payload FROM sessions WHERE uid = $1';
    const row = await database.get<{ payload: string }>(sql, [String(payload.sessionUid)]);
    this.#session = JSON.parse(row!.payload) as Payload;
    const { clientId, record } = (await relyingParties.find(this.portal('renewed').id))!;
    const updated = await relyingParties.update(clientId, { ...record, notice_version: '2' }, 'test');
    if (!updated.ok) throw new Error(JSON.stringify(updated));
  }

  async pair(at: PortalName, likeness: Likeness = {}): Promise<readonly [Twin, Twin]> {
    return [await this.make(at, likeness), await this.make(at, likeness)];
  }

  async make(at: PortalName, likeness: Likeness = {}): Promise<Twin> {
    const { of: whose = 'wang', session = {}, proofs, held = {}, grant = {} } = likeness;
    const { cookie = 'tongban', keys = this.#keys } = likeness;
    const [id, uid, sid] = [randomToken(43), randomToken(21), randomToken(21)];
    const [portal, personId, grantId] = [this.portal(at), this.person(whose), typedId('Grant', randomToken(43))];
    const proven = { ...(this.#session.proven as Payload), of: personId, ...(proofs === undefined ? {} : { proofs }) };
    const payload = lived({ ...this.#session, uid, accountId: personId, proven, exp: FAMILY_SECONDS, ...session });
    if (grant !== 'gone') {
      const own = { accountId: personId, clientId: portal.id, jti: grantId, exp: FAMILY_SECONDS };
      await this.#putGrant(grantId, lived({ ...this.#grant, ...own, ...grant }));
    }
    const entry = held === 'none' ? {} : { [portal.id]: { sid, grantId, ...held } };
    await this.#putSession(
      { id, uid, payload, authorizations: { rp_elsewhere: { sid: 'other' }, ...entry } },
      likeness,
    );
    return { portal, cookie, id, signature: keys.sign(`${cookie}=${id}`), uid, grantId, sid };
  }

  async #putGrant(id: string, payload: Payload): Promise<void> {
    const keys = { accountId: String(payload.accountId) };
    const expiresAt = nowSeconds() + FAMILY_SECONDS;
    await this.#server.house.store.apply([{ kind: 'put', model: 'Grant', id, payload, keys, expiresAt }]);
  }

  async #putSession(
    { id, uid, payload, authorizations }: { id: string; uid: string; payload: Payload; authorizations: Payload },
    { secondsLeft = FAMILY_SECONDS, ended = false }: Likeness,
  ): Promise<void> {
    const now = nowSeconds();
    await this.#server.house.database.run(
      `INSERT INTO sessions (uid, id_digest, account_id, payload, authorizations, expires_at, started_at, seen_at, ended_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8)`,
      [
        uid,
        tokenDigest(id),
        payload.accountId === undefined ? null : String(payload.accountId),
        JSON.stringify(payload),
        JSON.stringify(authorizations),
        now + secondsLeft,
        now,
        ended ? now : null,
      ],
    );
  }

  /** What is in the store of this browser's session, and of all that came out of it at its portal. */
  async rows({ uid, portal, grantId }: Twin): Promise<readonly unknown[]> {
    const { database } = this.#server.house;
    const sessions = await database.all<{ payload: string; authorizations: string }>(
      'SELECT account_id, payload, authorizations, expires_at, ended_at FROM sessions WHERE uid = $1',
      [uid],
    );
    const held = JSON.parse(sessions[0]?.authorizations ?? '{}')[portal.id] as { grantId?: string } | undefined;
    const grants = [...new Set([grantId, held?.grantId ?? grantId])];
    const found: unknown[] = sessions.map((row) => ({
      ...row,
      payload: JSON.parse(row.payload),
      authorizations: JSON.parse(row.authorizations),
    }));
    for (const grant of grants) {
      const artifacts = await database.all<{ payload: string }>(
        `SELECT model, payload, grant_id, account_id, uid, consumed_at IS NOT NULL AS spent, expires_at FROM artifacts
          WHERE grant_id = $1 OR id = $1 ORDER BY model, id`,
        [grant],
      );
      found.push(...artifacts.map((row) => ({ ...row, payload: JSON.parse(row.payload) })));
      found.push(...(await database.all('SELECT * FROM grant_subjects WHERE grant_id = $1', [grant])));
    }
    return found;
  }
}

/** As if it had been made just now. */
function lived(payload: Payload): Record<string, unknown> {
  const text = JSON.stringify({ ...payload, iat: nowSeconds() }, (name, value) =>
    MOMENTS.has(name) && typeof value === 'number' && Math.abs(value) < SOON ? nowSeconds() + value : value,
  );
  return JSON.parse(text) as Record<string, unknown>;
}

const MOMENTS: ReadonlySet<string> = new Set(['exp', 'iat', 'loginTs', 'at']);

const keyOf = (id: string): string => issueTimeOf(id, id.slice(0, 3)) + tokenDigest(id);
