import {
  type AccessToken,
  type Client,
  type ClientCredentials,
  type Configuration,
  errors,
  type Grant,
  type RefreshToken,
} from 'oidc-provider';
import type { Config } from '../config/schema.ts';

type Features = NonNullable<Configuration['features']>;
type Logout = Exclude<Features['rpInitiatedLogout'], undefined>;

export type IntrospectedToken = AccessToken | ClientCredentials | RefreshToken;

/** A token may be asked after by the client it was issued to, and by the resource it was issued for (V11). */
export const mayIntrospect = (client: Client, token: IntrospectedToken): boolean =>
  token.clientId === client.clientId || ('aud' in token && token.aud === client.clientId);

export interface FeatureHooks {
  /** For whom the person of a token acts, for those who may ask; undefined when they do no more. */
  readonly actingClaimsOf: (
    asker: Client,
    token: IntrospectedToken,
    grant: Grant | undefined,
  ) => Promise<object | undefined>;
  readonly dPoPNonceSecret: Buffer;
  readonly logoutPage: NonNullable<Logout['logoutSource']>;
  readonly loggedOutPage: NonNullable<Logout['postLogoutSuccessSource']>;
}

/** Every feature of the library by name, on or off. A test fails when the library gains one that is not decided here. */
export function features(_config: Config, hooks: FeatureHooks): Features {
  return {
    devInteractions: { enabled: false },

    backchannelLogout: { enabled: true },
    claimsParameter: { enabled: true },
    clientCredentials: { enabled: true },
    dPoP: { enabled: true, nonceSecret: hooks.dPoPNonceSecret, allowReplay: false },
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
    jwtUserinfo: { enabled: true },
    pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: false },
    resourceIndicators: { enabled: false },
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
    // Experimental in the library: an upgrade that changes it does not start (docs/decisions/0009-signing-at-hand.md).
    externalSigningSupport: { enabled: true, ack: 'experimental-01' },

    attestClientAuth: { enabled: false },
    ciba: { enabled: false },
    clientIdMetadataDocument: { enabled: false },
    deviceFlow: { enabled: false },
    encryption: { enabled: false },
    fapi: { enabled: false },
    jwtResponseModes: { enabled: false },
    mTLS: { enabled: false },
    openid4vci: { enabled: false },
    registration: { enabled: false },
    registrationManagement: { enabled: false },
    requestObjects: { enabled: false },
    richAuthorizationRequests: { enabled: false },
    rpMetadataChoices: { enabled: false },
    webMessageResponseMode: { enabled: false },
  };
}
