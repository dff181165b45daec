import {
  type AccessToken,
  type Client,
  type ClientCredentials,
  type Configuration,
  errors,
  type Grant,
  type RefreshToken,
  type ResourceServer,
} from 'oidc-provider';
import type { Config } from '../config/schema.ts';
import type { RequestObjects } from './request-objects.ts';
import { apiOf } from './resources.ts';

type Features = NonNullable<Configuration['features']>;
type Logout = Exclude<Features['rpInitiatedLogout'], undefined>;

export type IntrospectedToken = AccessToken | ClientCredentials | RefreshToken;

/** A token may be asked after by the client it was issued to, and by the API it was issued for (V11). */
export function mayIntrospect(client: Client, token: IntrospectedToken): boolean {
  if (token.clientId === client.clientId) return true;
  const audience = 'aud' in token ? token.aud : undefined;
  return audience !== undefined && audience === apiOf(client)?.identifier;
}

export interface FeatureHooks {
  /** For whom the person of a token acts, for those who may ask; undefined when they do no more. */
  readonly actingClaimsOf: (
    asker: Client,
    token: IntrospectedToken,
    grant: Grant | undefined,
  ) => Promise<object | undefined>;
  readonly apiFor: (identifier: string, client: Client) => Promise<ResourceServer>;
  readonly dPoPNonceSecret: Buffer;
  readonly requestObjects: RequestObjects;
  readonly logoutPage: NonNullable<Logout['logoutSource']>;
  readonly loggedOutPage: NonNullable<Logout['postLogoutSuccessSource']>;
}

/** Every feature of the library by name, on or off. A test fails when the library gains one that is not decided here. */
export function features({ keys }: Config, hooks: FeatureHooks): Features {
  return {
    devInteractions: { enabled: false },

    backchannelLogout: { enabled: true },
    claimsParameter: { enabled: true },
    clientCredentials: { enabled: true },
    // No proof of possession is signed with SM2.
    dPoP: { enabled: !keys.smOnly, nonceSecret: hooks.dPoPNonceSecret, allowReplay: false },
    introspection: {
      enabled: true,
      // The library asks last of all, and then tells what stands in `extra`: the place for what holds only now.
      async allowedPolicy(ctx, client, token) {
        if (!mayIntrospect(client, token)) return false;
        const claims = await hooks.actingClaimsOf(client, token, ctx.oidc.entities.Grant);
        if (claims === undefined) return false;
        if (Object.keys(claims).length > 0)
          Object.assign(token, { extra: { ...('extra' in token ? token.extra : {}), ...claims } });
        return true;
      },
    },
    jwtIntrospection: { enabled: true },
    jwtResponseModes: { enabled: true },
    jwtUserinfo: { enabled: true },
    pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: false },
    requestObjects: {
      enabled: true,
      requireSignedRequestObject: false,
      assertJwtClaimsAndHeader: (ctx, claims, header, client) =>
        hooks.requestObjects.assertClaims(ctx, claims, header, client),
    },
    resourceIndicators: {
      enabled: true,
      // Without `resource` a token is for userinfo; a portal says at the token endpoint when it wants one for an API (RFC 8707 2.2).
      // `defaultResource` is left out: the library's own names none.
      useGrantedResource: () => false,
      getResourceServerInfo: (_ctx, identifier, client) => hooks.apiFor(identifier, client),
    },
    revocation: {
      enabled: true,
      allowedPolicy: async (_ctx, client, token) => {
        // RFC 7009 2.1: whoever presents another's token is told so.
        if (token.clientId !== client.clientId) throw new errors.InvalidRequest('the token belongs to another client');
        return true;
      },
    },
    rpInitiatedLogout: {
      enabled: true,
      logoutSource: hooks.logoutPage,
      postLogoutSuccessSource: hooks.loggedOutPage,
    },
    userinfo: { enabled: true },
    // Experimental in the library: an upgrade that changes it does not start (docs/decisions/0003-signing-at-hand.md).
    externalSigningSupport: { enabled: true, ack: 'experimental-01' },

    attestClientAuth: { enabled: false },
    ciba: { enabled: false },
    clientIdMetadataDocument: { enabled: false },
    deviceFlow: { enabled: false },
    encryption: { enabled: false },
    fapi: { enabled: false },
    mTLS: { enabled: false },
    openid4vci: { enabled: false },
    registration: { enabled: false },
    registrationManagement: { enabled: false },
    richAuthorizationRequests: { enabled: false },
    rpMetadataChoices: { enabled: false },
    webMessageResponseMode: { enabled: false },
  };
}
