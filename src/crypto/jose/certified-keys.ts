import { readFileSync } from 'node:fs';
import { nowSeconds } from '../../shared/clock.ts';
import { Fault } from '../../shared/fault.ts';
import { KEY_USAGE, readSm2Certificate } from '../x509/certificate.ts';
import { chainFault, mayUse } from '../x509/chain.ts';
import { pemBlocks } from '../x509/pem.ts';
import { sm2PublicJwk } from './sm2-jwk.ts';

/** The certificates of SM2 keys, by the `kid` of the key: base64 of DER, the key's own first (`x5c`, RFC 7517 4.7). */
export type CertifiedKeys = ReadonlyMap<string, readonly string[]>;

/**
 * Reads files of PEM, each with the certificate of one signing key first and then those above it. Throws `Fault('internal')` for one
 * that cannot be read, was not made to sign with, or is signed by none of those beside it. One whose time is not now is passed over:
 * a key is as good without it.
 */
export function readCertifiedKeys(files: readonly string[]): CertifiedKeys {
  const chains = files.flatMap((file) => {
    const blocks = pemBlocks(readText(file), 'CERTIFICATE');
    const certificates = blocks.map(
      (block) => readSm2Certificate(block) ?? refuse(file, 'holds what is no SM2 certificate'),
    );
    const [own, ...above] = certificates;
    if (own === undefined) return refuse(file, 'holds no certificate');
    if (own.isAuthority || !mayUse(own, KEY_USAGE.digitalSignature)) {
      return refuse(file, 'does not begin with a certificate to sign with');
    }
    // What stands alone is vouched for by whoever put it there.
    const fault = chainFault(own, above, nowSeconds());
    if (fault === 'validity') return [];
    if (above.length > 0 && fault !== undefined)
      return refuse(file, 'holds no chain from the first certificate upwards');
    const { kid } = sm2PublicJwk(own.key.bytes, 'sig');
    return [[kid, blocks.map((block) => block.toString('base64'))] as const];
  });
  return new Map(chains);
}

/**
 * Reads the files now, and again at each call: a file that is no longer in order is told to `onFault`, and what was read last holds, for
 * keys must be followed whatever becomes of their certificates. Throws as `readCertifiedKeys` does, at first only.
 */
export function followCertifiedKeys(files: readonly string[], onFault: (error: unknown) => void): () => CertifiedKeys {
  let last = readCertifiedKeys(files);
  return () => {
    try {
      last = readCertifiedKeys(files);
    } catch (error) {
      onFault(error);
    }
    return last;
  };
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Fault('internal', `The certificate of a signing key cannot be read from ${file}.`, { cause: error });
  }
}

function refuse(file: string, why: string): never {
  throw new Fault('internal', `${file} ${why}.`);
}
