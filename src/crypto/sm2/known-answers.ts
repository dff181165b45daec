import { Fault } from '../../shared/fault.ts';
import { sm2Engine } from './engine.ts';
import { decryptSm2, digestSm2, readSm2PrivateKey, sealWithShare, verifySm2 } from './sm2.ts';

const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');

/** The worked examples of GB/T 32918.5, A.2 and A.3 with the same key and nonce. */
const PRIVATE_KEY = bytes('3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8');
const PUBLIC_KEY =
  '0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13';
const NONCE = bytes('59276e27d506861a16680f3ad9c02dccef3cc1fa3cdbe4ce6d54b80deac1bc21');
const MESSAGE = Buffer.from('message digest');
const SIGNATURE =
  'f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa';
const TEXT = Buffer.from('encryption standard');
const CIPHERTEXT =
  '04' +
  '04ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0' +
  '59983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766' +
  '21886ca989ca9c7d58087307ca93092d651efa';

/**
 * Computes published examples with the engine of this thread; called at every start (R6, V59). Throws `Fault('internal')` naming
 * what failed: nothing may be signed or believed then.
 */
export function sm2KnownAnswers(): void {
  const engine = sm2Engine();
  const point = bytes(PUBLIC_KEY).subarray(1);
  expect('keys', () => engine.publicKey(PRIVATE_KEY)?.equals(point));
  const key = readSm2PrivateKey(PRIVATE_KEY);
  const e = digestSm2(MESSAGE, key.publicKey);
  const sign = () => engine.givenNonce.sign(e, engine.signingFactor(PRIVATE_KEY), NONCE);
  expect('signing', () => sign()?.toString('hex') === SIGNATURE);
  expect('verifying', () => verifySm2(MESSAGE, bytes(SIGNATURE), key.publicKey));
  expect('refusing', () => !verifySm2(TEXT, bytes(SIGNATURE), key.publicKey));
  expect('encrypting', () => {
    const share = engine.givenNonce.share(point, NONCE);
    const sealed = share && sealWithShare(TEXT, share.kept);
    return sealed && `04${share.sent.toString('hex')}${sealed.toString('hex')}` === CIPHERTEXT;
  });
  expect('decrypting', () => decryptSm2(bytes(CIPHERTEXT), key)?.equals(TEXT));
}

function expect(what: string, holds: () => boolean | undefined): void {
  if (holds() !== true) {
    throw new Fault('internal', `The known-answer test of SM2 ${what} failed: this Node.js must not be used.`);
  }
}
