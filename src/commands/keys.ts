import type { Keyring } from '../crypto/keyring.ts';
import { remoteKeyId, type SigningAlgorithm } from '../crypto/signing-key.ts';

export interface KeysCommandContext {
  readonly keyring: Keyring;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

export const USAGE = `Usage:
  tongban keys list           the published keys, the signing ones first
  tongban keys rotate [ALG]   let the next key sign; running servers follow within seconds
`;

/** `tongban keys ...`. Never prints a private key. */
export async function run(args: readonly string[], { keyring, stdout, stderr }: KeysCommandContext): Promise<number> {
  const [action, alg] = args;
  const isAlgorithm = (text: string): text is SigningAlgorithm =>
    (keyring.algorithms as readonly string[]).includes(text);
  if (action === 'list' && args.length === 1) {
    await keyring.ensure();
    for (const jwk of (await keyring.jwks()).privateKeys) {
      const held = remoteKeyId(jwk);
      stdout.write(`${jwk.alg}  ${jwk.kid}${held === undefined ? '' : `  key ${held} of the signature server`}\n`);
    }
    return 0;
  }
  if (action !== 'rotate' || args.length > 2 || (alg !== undefined && !isAlgorithm(alg))) {
    stderr.write(USAGE);
    return 2;
  }
  await keyring.ensure();
  let refused = 0;
  for (const algorithm of alg === undefined ? keyring.algorithms : [alg]) {
    const outcome = await keyring.rotate(algorithm);
    if (outcome.ok) stdout.write(`${algorithm}: ${outcome.kid} signs now.\n`);
    else {
      refused += 1;
      const at = new Date(outcome.readyAt * 1000).toISOString();
      stderr.write(`${algorithm}: portals may not know the next key yet; it can sign from ${at} on.\n`);
    }
  }
  await keyring.prune();
  return refused === 0 ? 0 : 1;
}
