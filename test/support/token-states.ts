import { tokenDigest } from '../../src/crypto/digests.ts';
import { issueTimeOf, typedId } from '../../src/oidc/token-ids.ts';
import { nowSeconds } from '../../src/shared/clock.ts';
import { randomToken } from '../../src/shared/random.ts';
import { type ListedActing, mandateOf, TEA } from './acting.ts';
import { OFFLINE, revoke } from './portal-calls.ts';
import { LI, redemption, type TestPortal, type TestServer, WANG } from './server.ts';

/** Portals of every kind a look at a token meets. */
/** The portal `home` is an API too, for which others hold tokens. */
const HOME_API = 'https://home.example/api';

const RECORDS = {
  home: { api: { identifier: HOME_API, scopes: ['home:read'] } },
  posting: { token_endpoint_auth_method: 'client_secret_post' },
  open: { token_endpoint_auth_method: 'none', grant_types: ['authorization_code', 'refresh_token'] },
  common: { subject_type: 'public', grant_types: ['authorization_code', 'refresh_token'] },
  signed: { userinfo_signed_response_alg: 'ES256' },
  narrowed: {},
  shut: {},
  left: {},
  renewed: {},
  expired: {},
  lasting: {},
  business: { accepts_subjects: ['natural', 'legal', 'represented'] },
} as const;
export type PortalName = keyof typeof RECORDS;

const SECRET_ENDS = { expired: 1, lasting: 4_000_000_000 } as const;

const keyOf = (id: string): string => issueTimeOf(id, id.slice(0, 3)) + tokenDigest(id);

/** Portals and tokens by name, in all states that a portal meets often, rarely or never. */
export class TokenStates {
  readonly #server: TestServer;
  readonly #portals = new Map<string, TestPortal>();
  readonly #tokens = new Map<string, string>();

  readonly #acting: ListedActing;

  constructor(server: TestServer, acting: ListedActing) {
    this.#server = server;
    this.#acting = acting;
  }

  portal(name: PortalName): TestPortal {
    return this.#portals.get(name) ?? { id: name, secret: name };
  }

  token(name: string): string {
    const token = this.#tokens.get(name);
    if (token === undefined) throw new Error(`no token ${name}`);
    return token;
  }

  /** Another token like that of `home`, which ended within the seconds that the library forgives here and there. */
  async endJustNow(name: string): Promise<string> {
    this.#tokens.set(name, await this.#forge('AccessToken', this.token('home'), { exp: nowSeconds() - 3 }));
    return name;
  }

  async prepare(): Promise<void> {
    const { house } = this.#server;
    const wang = await this.#server.addPerson(WANG);
    const li = await this.#server.addPerson(LI);
    await this.#register();
    const signedIn = ['home', 'posting', 'open', 'common', 'signed', 'narrowed', 'shut', 'left', 'lasting'] as const;
    for (const name of signedIn) await this.#signIn(name, name);
    await this.#signInActing(wang);
    await this.#signIn('revoked', 'home');
    await this.#signIn('session', 'home', { scope: 'openid profile identity', prompt: 'consent' });
    const claims = JSON.stringify({ userinfo: { id_number_masked: null, phone_number: null } });
    await this.#signIn('claims', 'home', { ...OFFLINE, claims });
    await this.#signIn('disabled', 'home', OFFLINE, LI.idNumber);
    const service = await this.#server.token(this.portal('home'), { grant_type: 'client_credentials' });
    this.#tokens.set('service', String(service.body.access_token));
    await this.#forgeAll();

    for (const name of ['revoked', 'revoked refresh'])
      await revoke(this.#server, this.portal('home'), this.token(name));
    await house.persons.disable(li, 'test');
    await house.sessionEnds.endPortal(wang, this.portal('left').id, async () => {});
    await house.relyingParties.disable(this.portal('shut').id, 'test');
    await house.relyingParties.rotateSecret(this.portal('renewed').id, 'test');
    const { id } = this.portal('narrowed');
    const wide = await house.relyingParties.inspect(id);
    await house.relyingParties.update(id, { ...wide?.record, scope: 'openid offline_access' }, 'test');
  }

  /** A secret's end cannot be registered here; the library knows it all the same. */
  async #register(): Promise<void> {
    for (const [name, record] of Object.entries(RECORDS))
      this.#portals.set(name, await this.#server.addPortal({ ...record }));
    const { database } = this.#server.house;
    for (const name of ['expired', 'lasting'] as const) {
      const { id } = this.portal(name);
      const row = await database.get<{ record: string }>('SELECT record FROM relying_parties WHERE client_id = $1', [
        id,
      ]);
      const record = JSON.stringify({ ...JSON.parse(row?.record ?? ''), client_secret_expires_at: SECRET_ENDS[name] });
      await database.run('UPDATE relying_parties SET record = $2 WHERE client_id = $1', [id, record]);
    }
  }

  async #signIn(
    name: string,
    at: PortalName,
    query: Record<string, string> = OFFLINE,
    identifier: string = WANG.idNumber,
    actingAs = 'self',
  ) {
    const { id, secret } = this.portal(at);
    const callback = await this.#server.signIn(this.#server.browser(), this.portal(at), {
      query,
      identifier,
      actingAs,
    });
    const { body } = await (at === 'posting'
      ? this.#server.token({ id, secret: '' }, { ...redemption(callback), client_secret: secret })
      : this.#server.token(this.portal(at), redemption(callback)));
    this.#tokens.set(name, String(body.access_token));
    this.#tokens.set(`${name} refresh`, String(body.refresh_token));
  }

  async #signInActing(wang: string): Promise<void> {
    const company = this.#acting.add(wang, TEA, { mandate: mandateOf('mdt_states') });
    const child = {
      kind: 'natural',
      ref: 'mdt_child',
      role: 'guardian',
      personId: 'psn_child',
      name: '王小小',
    } as const;
    this.#acting.put(wang, { ...child, mandate: mandateOf('mdt_child') });
    for (const [name, actingAs] of Object.entries({ own: 'self', company, represented: child.ref }))
      await this.#signIn(name, 'business', OFFLINE, WANG.idNumber, actingAs);
    const less = { scope: 'openid', prompt: 'consent' };
    await this.#signIn('nameless', 'business', less, WANG.idNumber, child.ref);
  }

  /** Stores a token or grant like another, but for these members; gives its id. */
  async #forge(model: 'AccessToken' | 'RefreshToken' | 'Grant', like: string, changes: object): Promise<string> {
    const { store } = this.#server.house;
    const found = await store.find(model, model === 'Grant' ? like : keyOf(like));
    const id = typedId(model, randomToken(43));
    const payload = { ...found?.payload, ...(model === 'Grant' ? { jti: id } : {}), ...changes };
    const [key, expiresAt] = [model === 'Grant' ? id : keyOf(id), nowSeconds() + 600];
    await store.apply([{ kind: 'put', model, id: key, payload, keys: {}, expiresAt }]);
    return id;
  }

  async #forgeAll(): Promise<void> {
    const now = nowSeconds();
    const grantIdOf = async (name: string): Promise<string> =>
      String((await this.#server.house.store.find('AccessToken', keyOf(this.token(name))))?.payload.grantId);
    const own = await grantIdOf('home');
    const grant = async (changes: object): Promise<object> => ({ grantId: await this.#forge('Grant', own, changes) });
    const scope = 'openid profile identity';
    const openid = { scope };
    const changes: Readonly<Record<string, object>> = {
      'long over': { exp: now - 100 },
      'key bound': { jkt: 'x'.repeat(43) },
      'certificate bound': { 'x5t#S256': 'x'.repeat(43) },
      rich: { rar: [{ type: 'x' }] },
      telling: { extra: { level: 2 } },
      'of another for home': { clientId: this.portal('common').id, aud: HOME_API, grantId: undefined },
      'for elsewhere': { aud: 'https://elsewhere.example' },
      'without openid': { scope: 'profile' },
      'without scope': { scope: undefined },
      asking: { claims: { userinfo: { name_masked: null }, id_token: { name: null } } },
      'asking id token': { claims: { id_token: { name: null } } },
      'session gone': { expiresWithSession: true, sessionUid: 'gone' },
      'grant gone': { grantId: 'gr_gone' },
      'grant over': await grant({ exp: now - 3 }),
      'grant of another client': await grant({ clientId: this.portal('common').id }),
      'grant of another person': await grant({ accountId: 'psn_other' }),
      'grant of all': { scope, ...(await grant({ openid })) },
      'grant of less': { scope, ...(await grant({ openid: { scope: 'openid identity' } })) },
      'scope rejected': { scope, ...(await grant({ openid, rejected: { openid: { scope: 'identity' } } })) },
      'claims rejected': await grant({ rejected: { openid: { claims: ['name', 'gender'] } } }),
      'person unknown': { accountId: 'psn_other', ...(await grant({ accountId: 'psn_other' })) },
      'client unknown': { clientId: 'rp_other', ...(await grant({ clientId: 'rp_other' })) },
    };
    const mark = (actingAs: string) => ({
      rar: [{ type: 'urn:tongban:acting-as', acting_as: actingAs, origin: 'page' }],
    });
    const acting = { 'not accepted': await grant(mark('mdt_child')), 'marked as self': await grant(mark('self')) };
    const home = this.token('home');
    for (const [name, change] of Object.entries({ ...changes, ...acting }))
      this.#tokens.set(name, await this.#forge('AccessToken', home, change));
    const ended = { grantId: await this.#forge('Grant', await grantIdOf('company'), mark('mdt_gone')) };
    this.#tokens.set('ended', await this.#forge('AccessToken', this.token('company'), ended));
    this.#tokens.set('ended refresh', await this.#forge('RefreshToken', this.token('company refresh'), ended));
    const spent = this.token('home refresh');
    this.#tokens.set('refresh over', await this.#forge('RefreshToken', spent, { exp: now - 3 }));
    this.#tokens.set('refresh bound', await this.#forge('RefreshToken', spent, { jkt: 'x'.repeat(43) }));
    // No account stands at this grant's row, so that disabling the person leaves it: the token alone must not help then.
    const left = { grantId: await this.#forge('Grant', await grantIdOf('disabled'), {}) };
    this.#tokens.set('disabled alone', await this.#forge('AccessToken', this.token('disabled'), left));
  }
}
