import type { Client, Grant, KoaContextWithOIDC, PushedAuthorizationRequest, Session } from 'oidc-provider';
import type { Config } from '../config/schema.ts';
import type { CodeStatement } from './assurance.ts';
import type { Parameters } from './authorization-request.ts';
import type { KeptTokens } from './kept-tokens.ts';
import { endsWithSession } from './provider.ts';

export interface CodeSources {
  readonly kept: KeptTokens;
  readonly config: Pick<Config, 'ttl'>;
  /** What the code of a request states of the sign-in behind it; undefined for one that nobody has judged. */
  readonly statementOf: (ctx: KoaContextWithOIDC) => CodeStatement | undefined;
}

/** A plain request that misses nothing, with what was granted for it. */
export interface Answerable {
  readonly client: Client;
  readonly parameters: Parameters;
  readonly pushed?: PushedAuthorizationRequest | undefined;
  readonly session: Session;
  readonly grant: Grant;
  readonly request: KoaContextWithOIDC;
}

/**
 * Issues the code of a plain request (RFC 6749 4.1.2), kept as the library keeps one. Undefined for what was granted without any scope the portal asks
 * for now, and for access in absence, which marks the session (provider.ts).
 */
export async function issueCode(
  { kept, config, statementOf }: CodeSources,
  { client, parameters, pushed, session, grant, request }: Answerable,
): Promise<string | undefined> {
  const scope = grant.getOIDCScopeFiltered(request.oidc.requestParamOIDCScopes);
  if (scope === '') return undefined;
  if (!endsWithSession({ scopes: new Set(scope.split(' ')) })) return undefined;
  const statement = statementOf(request);
  if (statement === undefined) throw new Error('a code was to be issued for a request that nobody has judged');
  await pushed?.consume();
  const code = await kept.make(
    'AuthorizationCode',
    {
      accountId: session.accountId,
      clientId: client.clientId,
      codeChallenge: parameters.code_challenge,
      codeChallengeMethod: parameters.code_challenge_method,
      expiresWithSession: true,
      grantId: grant.jti,
      nonce: parameters.nonce,
      redirectUri: parameters.redirect_uri,
      scope,
      sessionUid: session.uid,
      ...(client.includeSid() ? { sid: session.sidFor(client.clientId) } : {}),
      ...statement,
    },
    { lifetimeSeconds: config.ttl.authorizationCodeSeconds },
  );
  request.oidc.entity('AuthorizationCode', code.kept);
  return code.value;
}
