import { importJWK, type JWK, jwtVerify } from 'jose';
import type { Running } from './peers.ts';

/** A portal's view of the keys: kept, and fetched again only when a token names one that is not in it. */
export class KeySet {
  readonly #server: Running;
  #keys = new Map<string, Awaited<ReturnType<typeof importJWK>>>();
  #fetching: Promise<void> | undefined;

  constructor(server: Running) {
    this.#server = server;
  }

  /** Throws when the token does not verify, or names a key that is not published. */
  async verify(token: string): Promise<void> {
    const { kid } = JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString('utf8')) as { kid: string };
    if (!this.#keys.has(kid)) {
      this.#fetching ??= this.#fetch();
      await this.#fetching;
    }
    const key = this.#keys.get(kid);
    if (key === undefined) throw new Error(`the key ${kid} is not published`);
    await jwtVerify(token, key, { issuer: this.#server.origin.origin, audience: this.#server.client.id });
  }

  async #fetch(): Promise<void> {
    try {
      const answer = await fetch(new URL(this.#server.endpoints.jwks, this.#server.origin));
      const { keys } = (await answer.json()) as { readonly keys: readonly JWK[] };
      const classical = keys.filter(({ crv, kty }) => kty === 'RSA' || crv === 'P-256');
      this.#keys = new Map(
        await Promise.all(classical.map(async (jwk) => [String(jwk.kid), await importJWK(jwk)] as const)),
      );
    } finally {
      this.#fetching = undefined;
    }
  }
}
