import { type Configuration, errors } from 'oidc-provider';
import type { Config } from '../config/schema.ts';

type Features = NonNullable<Configuration['features']>;
type Logout = Exclude<Features['rpInitiatedLogout'], undefined>;

export interface FeatureHooks {
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
      // A token may be asked after by the client it was issued to, and by the resource it was issued for (V11).
      allowedPolicy: async (_ctx, client, token) =>
        token.clientId === client.clientId || ('aud' in token && token.aud === client.clientId),
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
