/** Public members of the library's models that its type package does not declare (oidc-provider 9.13.3). */
import 'oidc-provider';
import type { ProvenSession } from './proven-sessions.ts';

declare module 'oidc-provider' {
  interface AccessToken {
    generateTokenId(): string;
  }
  interface AuthorizationCode {
    readonly consumed: unknown;
    generateTokenId(): string;
  }
  interface ClientCredentials {
    generateTokenId(): string;
  }
  interface Grant {
    generateTokenId(): string;
  }
  interface IdToken {
    scope: string | undefined;
    rejected: readonly string[] | undefined;
  }
  interface Interaction {
    readonly parJti?: string;
  }
  interface PushedAuthorizationRequest {
    generateTokenId(): string;
  }
  interface RefreshToken {
    generateTokenId(): string;
  }
  /** Ours: kept with the session because it is named in `IN_PAYLOAD` (shadows.ts). */
  interface Session {
    proven?: ProvenSession;
  }
}
