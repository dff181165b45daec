import { Fault } from '../shared/fault.ts';
import { type SignatureVerifier, type Signer, SM2_PUBLIC_KEY_BYTES } from './signer.ts';
import { readSm2PrivateKey, readSm2PublicKey, signSm2, verifySm2, wipeSm2PrivateKey } from './sm2/sm2.ts';

const PRIVATE_KEY = /^[0-9a-f]{64}$/i;
const MESSAGE_BYTES_MAX = 65_536;

/**
 * Signs in this process with the key given as 64 hexadecimal digits, from 1 to n - 2: for small sites; certified hardware stands
 * behind the same interface. A signature is made on the spot, in less than a millisecond. Throws `Fault('internal')` for
 * anything that is no such key. `sign` rejects with `internal` for messages above 64 KiB and after `close`.
 */
export function createSoftwareSm2Signer(privateKeyHex: string): Signer {
  const key = readSm2PrivateKey(privateKeyBytes(privateKeyHex));
  let closed = false;
  return {
    alg: 'SM2',
    publicKey: key.publicKey.bytes,

    async sign(message) {
      if (closed) throw new Fault('internal', 'This SM2 signer is closed.');
      if (message.length > MESSAGE_BYTES_MAX) throw new Fault('internal', 'The message is too long to be signed.');
      return signSm2(message, key);
    },

    async close() {
      closed = true;
      wipeSm2PrivateKey(key);
    },
  };
}

/** Checks signatures of one key, 04 || X || Y. Throws `Fault('internal')` for a key that is no point of the curve. */
export function createSm2Verifier(publicKey: Uint8Array): SignatureVerifier {
  if (publicKey.length !== SM2_PUBLIC_KEY_BYTES) throw new Fault('internal', 'An SM2 public key has 65 bytes.');
  const key = readSm2PublicKey(publicKey);
  return {
    publicKey: key.bytes,
    verify: (message, signature) => verifySm2(message, signature, key),
  };
}

/**
 * The public key, 65 bytes 04 || X || Y, of a private key of 64 hexadecimal digits. Throws `Fault('internal')` unless it is
 * from 1 to n - 2 (GB/T 32918.1 6.1); the fault does not repeat it.
 */
export function sm2PublicKey(privateKeyHex: string): Buffer {
  const key = readSm2PrivateKey(privateKeyBytes(privateKeyHex));
  wipeSm2PrivateKey(key);
  return key.publicKey.bytes;
}

/** No bytes at all for a text that is no such number: the reader of keys refuses them, and repeats nothing. */
const privateKeyBytes = (hex: string): Buffer => Buffer.from(PRIVATE_KEY.test(hex) ? hex : '', 'hex');
