import { createECDH } from 'node:crypto';
import { createRequire } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import { type SmNumber, sm2 } from 'sm-crypto';
import { Fault } from '../shared/fault.ts';
import { SM2_SIGNATURE_BYTES, SM2_USER_ID } from './signer.ts';

/** The key this worker signs with for as long as it lives. */
export interface SigningWorkerKey {
  readonly privateKeyHex: string;
  readonly publicKeyHex: string;
}

export interface SigningTask {
  readonly id: number;
  readonly message: Uint8Array;
}

export interface SigningResult {
  readonly id: number;
  readonly signature: Uint8Array;
}

// The numbers sm-crypto calculates with, which it does not export.
const { BigInteger } = createRequire(import.meta.resolve('sm-crypto'))('jsbn') as {
  readonly BigInteger: new (text: string, radix: number) => SmNumber;
};

/**
 * Signs with the given nonce, 32 bytes in hexadecimal; 64 bytes, R || S. The nonce decides over the key: whoever learns one, or
 * sees one used twice, can compute the private key. Its point is computed by OpenSSL, in a time that tells nothing of it.
 */
export function signWithNonce(message: Uint8Array, key: SigningWorkerKey, nonceHex: string): Buffer {
  const nonce = createECDH('SM2');
  nonce.setPrivateKey(nonceHex, 'hex');
  const x1 = nonce.getPublicKey().subarray(1, 33).toString('hex');
  const signature = sm2.doSignature(message, key.privateKeyHex, {
    hash: true,
    der: false,
    userId: SM2_USER_ID,
    publicKey: key.publicKeyHex,
    pointPool: [{ k: new BigInteger(nonceHex, 16), x1: new BigInteger(x1, 16) }],
  });
  return exactly(signature);
}

/** A fresh nonce from the generator of node:crypto: the one of sm-crypto is seeded once and then runs on by itself (R9). */
function freshNonceHex(): string {
  const nonce = createECDH('SM2');
  nonce.generateKeys();
  return nonce.getPrivateKey('hex').padStart(64, '0');
}

function exactly(signatureHex: string): Buffer {
  const signature = Buffer.from(signatureHex, 'hex');
  if (signature.length !== SM2_SIGNATURE_BYTES) throw new Fault('internal', 'An SM2 signature has 64 bytes.');
  return signature;
}

/** The worked example of GB/T 32918.5 A.2, computed before the first signature (R6). */
function knownAnswer(): void {
  const key = {
    privateKeyHex: '3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8',
    publicKeyHex:
      '0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13',
  };
  const nonceHex = '59276e27d506861a16680f3ad9c02dccef3cc1fa3cdbe4ce6d54b80deac1bc21';
  const signature = signWithNonce(Buffer.from('message digest'), key, nonceHex).toString('hex');
  const expected =
    'f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa';
  if (signature !== expected) throw new Fault('internal', 'The known-answer test of SM2 signing failed.');
}

if (parentPort !== null) {
  const port = parentPort;
  const key = workerData as SigningWorkerKey;
  knownAnswer();
  port.on('message', ({ id, message }: SigningTask) => {
    const result: SigningResult = { id, signature: signWithNonce(message, key, freshNonceHex()) };
    port.postMessage(result);
  });
}
