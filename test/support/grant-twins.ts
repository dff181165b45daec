import { tokenDigest } from '../../src/crypto/digests.ts';
import { issueTimeOf, typedId } from '../../src/oidc/token-ids.ts';
import { nowSeconds } from '../../src/shared/clock.ts';
import { randomToken } from '../../src/shared/random.ts';
import { type ListedActing, mandateOf, TEA } from './acting.ts';
import { OFFLINE } from './portal-calls.ts';
import { LI, redemption, type TestPortal, type TestServer, WANG } from './server.ts';

const CODE_FLOW = ['authorization_code', 'refresh_token'] as const;
const RECORDS = {
  home: {},
  posting: { token_endpoint_auth_method: 'client_secret_post' },
  open: { token_endpoint_auth_method: 'none', grant_types: CODE_FLOW },
  common: { subject_type: 'public', grant_types: CODE_FLOW },
  rsa: { id_token_signed_response_alg: 'RS256' },
  sm2: { id_token_signed_response_alg: 'SGD_SM3_SM2' },
  once: { grant_types: ['authorization_code'] },
  service: { grant_types: ['client_credentials'], redirect_uris: [] },
  bound: { dpop_bound_access_tokens: true },
  modest: { scope: 'openid' },
  shut: {},
  business: { accepts_subjects: ['natural', 'legal', 'represented'] },
} as const;
export type PortalName = keyof typeof RECORDS;

/** What is handed in lives this long, unless told otherwise; its grant twice as long. */
const FAMILY_SECONDS = 5000;

type Payload = Readonly<Record<string, unknown>>;
type Model = 'AuthorizationCode' | 'RefreshToken';

/** Of which sign-in a twin is a copy, and what is different about it. Small numbers for `exp` and `iiat` are seconds from now. */
export interface Likeness {
  readonly of?: 'home' | 'own' | 'company' | 'represented' | 'disabled';
  /** Whose it is, where that is another portal than the one of the sign-in. */
  readonly at?: PortalName;
  readonly token?: Payload;
  /** `gone` for a grant that is no more. */
  readonly grant?: Payload | 'gone';
  readonly spentSecondsAgo?: number;
  /** Ends with a session that is there, or was, or holds another grant by now. */
  readonly session?: boolean | 'ended' | 'over' | 'moved';
}

/** A code or refresh token that is in the store, with what differs from one twin to the other. */
export interface Twin {
  readonly value: string;
  readonly grantId: string;
  readonly sessionUid: string;
}

interface Template {
  readonly code: Payload;
  readonly refreshToken: Payload;
  readonly grant: Payload;
}

const SOON = 1_000_000;

/** As if it had been made just now. */
function lived(payload: Payload): Record<string, unknown> {
  const fromNow = (moment: unknown): unknown =>
    Math.abs(Number(moment)) < SOON ? nowSeconds() + Number(moment) : moment;
  const { exp, iiat } = payload;
  return { ...payload, iat: nowSeconds(), exp: fromNow(exp), ...(iiat === undefined ? {} : { iiat: fromNow(iiat) }) };
}

const keyOf = (id: string): string => issueTimeOf(id, id.slice(0, 3)) + tokenDigest(id);

/** Makes codes and refresh tokens in pairs, each on a grant of its own, so that both ways have one to spend. */
export class GrantTwins {
  readonly #server: TestServer;
  readonly #acting: ListedActing;
  readonly #portals = new Map<string, TestPortal>();
  readonly #templates = new Map<string, Template>();

  constructor(server: TestServer, acting: ListedActing) {
    this.#server = server;
    this.#acting = acting;
  }

  portal(name: PortalName): TestPortal {
    return this.#portals.get(name) ?? { id: name, secret: name };
  }

  async prepare(): Promise<void> {
    const { house } = this.#server;
    const wang = await this.#server.addPerson(WANG);
    const li = await this.#server.addPerson(LI);
    for (const [name, record] of Object.entries(RECORDS))
      this.#portals.set(name, await this.#server.addPortal({ ...record }));
    const company = this.#acting.add(wang, TEA, { mandate: mandateOf('mdt_twins') });
    const child = { kind: 'natural', ref: 'mdt_kid', role: 'guardian', personId: 'psn_kid', name: '王小小' } as const;
    this.#acting.put(wang, { ...child, mandate: mandateOf('mdt_kid') });
    await this.#signIn('home', 'home');
    await this.#signIn('disabled', 'home', LI.idNumber);
    await this.#signIn('own', 'business');
    await this.#signIn('company', 'business', WANG.idNumber, company);
    await this.#signIn('represented', 'business', WANG.idNumber, child.ref);
    await house.persons.disable(li, 'test');
    await house.relyingParties.disable(this.portal('shut').id, 'test');
  }

  async #signIn(name: string, at: PortalName, identifier: string = WANG.idNumber, actingAs = 'self'): Promise<void> {
    const options = { query: OFFLINE, identifier, actingAs };
    const callback = await this.#server.signIn(this.#server.browser(), this.portal(at), options);
    const code = await this.#read('AuthorizationCode', String(callback.searchParams.get('code')));
    const { body } = await this.#server.token(this.portal(at), redemption(callback));
    const refreshToken = await this.#read('RefreshToken', String(body.refresh_token));
    const grant = await this.#read('Grant', String(code.grantId));
    this.#templates.set(name, { code, refreshToken, grant });
  }

  async #read(model: string, id: string): Promise<Payload> {
    const found = await this.#server.house.store.find(model, model === 'Grant' ? id : keyOf(id));
    if (found === undefined) throw new Error(`no ${model} ${id}`);
    return found.payload;
  }

  async pair(model: Model, likeness: Likeness = {}): Promise<readonly [Twin, Twin]> {
    return [await this.#make(model, likeness), await this.#make(model, likeness)];
  }

  async #make(model: Model, likeness: Likeness): Promise<Twin> {
    const { of: name = 'home', at, token = {}, grant = {}, spentSecondsAgo, session = false } = likeness;
    const template = this.#templates.get(name)!;
    const [value, grantId, uid] = [typedId(model, randomToken(43)), typedId('Grant', randomToken(43)), randomToken(21)];
    const whose = at === undefined ? {} : { clientId: this.portal(at).id };
    const sessionUid = session ? uid : String(template.code.sessionUid);
    if (grant !== 'gone') {
      const payload = lived({ ...template.grant, ...whose, jti: grantId, exp: 2 * FAMILY_SECONDS, ...grant });
      await this.#put('Grant', grantId, payload, { accountId: String(payload.accountId) });
    }
    const payload = lived({
      ...(model === 'RefreshToken' ? { ...template.refreshToken, iiat: -600 } : template.code),
      ...whose,
      ...{ grantId, sessionUid, exp: FAMILY_SECONDS },
      ...(session === false ? {} : { expiresWithSession: true }),
      ...token,
    });
    if (session) await this.#openSession(uid, session === 'moved' ? 'gr_another' : grantId, payload, session);
    await this.#put(model, keyOf(value), payload, { grantId });
    if (spentSecondsAgo !== undefined) await this.#spend(model, keyOf(value), spentSecondsAgo);
    return { value, grantId, sessionUid };
  }

  async #put(model: string, id: string, payload: Record<string, unknown>, keys: Record<string, string>): Promise<void> {
    const expiresAt = nowSeconds() + 2 * FAMILY_SECONDS;
    await this.#server.house.store.apply([{ kind: 'put', model, id, payload, keys, expiresAt }]);
  }

  async #spend(model: Model, id: string, secondsAgo: number): Promise<void> {
    const { database } = this.#server.house;
    const spent = 'UPDATE artifacts SET consumed_at = $3 WHERE model = $1 AND id = $2';
    await database.run(spent, [model, id, nowSeconds() - secondsAgo]);
  }

  async #openSession(
    uid: string,
    grantId: string,
    { accountId, clientId }: Payload,
    state: Likeness['session'],
  ): Promise<void> {
    const authorizations = JSON.stringify({ [String(clientId)]: { sid: 'sid', grantId } });
    const payload = JSON.stringify({ uid, accountId, kind: 'Session', exp: nowSeconds() + FAMILY_SECONDS });
    const endsAt = state === 'over' ? nowSeconds() - 1 : nowSeconds() + FAMILY_SECONDS;
    const endedAt = state === 'ended' ? nowSeconds() : null;
    const row = [uid, randomToken(43), String(accountId), payload, authorizations, endsAt, endedAt];
    await this.#server.house.database.run(
      `INSERT INTO sessions (uid, id_digest, account_id, payload, authorizations, expires_at, started_at, seen_at, ended_at)
        VALUES ($1, $2, $3, $4, $5, $6, 1, 1, $7)`,
      row,
    );
  }

  /** What is in the store of this twin and of all that came out of it. */
  async rows({ grantId }: Twin): Promise<readonly Payload[]> {
    const columns = 'model, payload, grant_id, account_id, uid, consumed_at IS NOT NULL AS spent, expires_at';
    const rows = await this.#server.house.database.all<{ payload: string }>(
      `SELECT ${columns} FROM artifacts WHERE grant_id = $1 OR id = $1 ORDER BY model, consumed_at IS NULL`,
      [grantId],
    );
    return rows.map((row) => ({ ...row, payload: JSON.parse(row.payload) as Payload }));
  }
}
