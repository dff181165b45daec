import { Fault } from '../../shared/fault.ts';
import type { Signer } from '../signer.ts';
import { digestSm2, readSm2PublicKey, verifySm2 } from '../sm2/sm2.ts';
import type { RemoteKey, SignatureServer } from './signature-server.ts';

/**
 * Signs with a key that a signature server holds. What leaves this process is the digest alone, never the message: tokens speak of
 * people. Each signature is verified against the public key we know before anybody sees it, so that a server that is broken, or
 * somebody in its place, can make us fail and never make us hand out a wrong one.
 * Throws `Fault('internal')` for a public key that is no point of the curve; `sign` rejects with `signer_unavailable`.
 */
export function createRemoteSm2Signer(server: Pick<SignatureServer, 'sign'>, key: RemoteKey): Signer {
  const known = readSm2PublicKey(key.publicKey);
  let closed = false;
  return {
    alg: 'SM2',
    publicKey: known.bytes,

    async sign(message) {
      if (closed) throw isClosed();
      const isGenuine = (signature: Buffer): boolean => verifySm2(message, signature, known);
      const signature = await server.sign(key.keyId, digestSm2(message, known), isGenuine);
      if (closed) throw isClosed();
      return signature;
    },

    async close() {
      closed = true;
    },
  };
}

const isClosed = (): Fault => new Fault('internal', 'This SM2 signer is closed.');
