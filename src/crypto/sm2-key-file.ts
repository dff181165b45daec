import { readFileSync, statSync } from 'node:fs';
import { Fault } from '../shared/fault.ts';
import { randomSecret } from '../shared/random.ts';
import { SM2_ORDER, wholeNumber } from './signer.ts';

const OTHERS_MAY = 0o077;
const DIGITS = /^[0-9a-f]{64}$/i;

/** Whether a private key is from 1 to n - 2 (GB/T 32918.1 6.1). */
export const isSm2PrivateKey = (number: bigint): boolean => number >= 1n && number <= SM2_ORDER - 2n;

/** A new private key, 64 hexadecimal digits. Numbers out of range, one in 2^32, are thrown away: all others stay equally likely. */
export function freshSm2PrivateKey(): string {
  for (;;) {
    const drawn = randomSecret(32);
    if (isSm2PrivateKey(wholeNumber(drawn))) return drawn.toString('hex');
  }
}

/** A file that only its owner may read, without the blanks around its text. Throws `Fault('internal')`; `whose` begins the sentence. */
export function readPrivateFile(file: string, whose: string): string {
  try {
    if ((statSync(file).mode & OTHERS_MAY) !== 0) {
      throw new Fault('internal', `${file} can be read by others: take their rights away (chmod 600).`);
    }
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault('internal', `${whose} cannot be read from ${file}.`, { cause: error });
  }
}

/** The SM2 private key in a file of 64 hexadecimal digits, lower-case. Throws `Fault('internal')` when it is missing, open to others or none. */
export function readSm2KeyFile(file: string, whose: string): string {
  const text = readPrivateFile(file, whose);
  if (!DIGITS.test(text) || !isSm2PrivateKey(BigInt(`0x${text}`))) {
    throw new Fault('internal', `${file} holds no SM2 private key: 64 hexadecimal digits are expected.`);
  }
  return text.toLowerCase();
}
