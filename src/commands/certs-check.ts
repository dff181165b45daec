import { readFileSync } from 'node:fs';
import { KEY_USAGE, readSm2Certificate, type Sm2Certificate } from '../crypto/x509/certificate.ts';
import { type ChainFault, chainFault } from '../crypto/x509/chain.ts';
import { pemBlocks } from '../crypto/x509/pem.ts';
import { nowSeconds } from '../shared/clock.ts';
import { Fault } from '../shared/fault.ts';

const ENCRYPTING = [KEY_USAGE.keyEncipherment, KEY_USAGE.dataEncipherment, KEY_USAGE.keyAgreement];

const WHY: Readonly<Record<ChainFault, string>> = {
  validity: 'is not valid now',
  issuer: 'is signed by none of the authorities',
  chain: 'has an authority above it that may not sign it, or is not valid now',
};

/**
 * Says of each SM2 certificate whether it holds and what it is for, before a proxy is given it: a TLCP server wants one that signs and
 * another that encrypts (GB/T 38636). Resolves with 0 when all hold. Throws `Fault('internal')` for a file that cannot be read.
 */
export function checkCertificates(authorityFile: string, files: readonly string[]): number {
  const authorities = certificatesIn(authorityFile);
  let code = 0;
  for (const file of files) {
    const [certificate] = certificatesIn(file);
    const why = certificate === undefined ? 'holds no SM2 certificate' : faultOf(certificate, authorities);
    if (certificate !== undefined && why === undefined) {
      process.stdout.write(`${file} holds until ${dayOf(certificate.validTo)}, to ${usesOf(certificate)}.\n`);
    } else {
      process.stderr.write(`${file} ${why}.\n`);
      code = 1;
    }
  }
  return code;
}

function faultOf(certificate: Sm2Certificate, authorities: readonly Sm2Certificate[]): string | undefined {
  const fault = chainFault(certificate, authorities, nowSeconds());
  if (fault !== undefined) return WHY[fault];
  if (certificate.isAuthority) return 'is the certificate of an authority';
  return usesOf(certificate) === '' ? 'is neither to sign nor to encrypt' : undefined;
}

function usesOf({ keyUsage }: Sm2Certificate): string {
  if (keyUsage === undefined) return 'do anything';
  const signs = keyUsage.has(KEY_USAGE.digitalSignature) ? ['sign'] : [];
  const encrypts = ENCRYPTING.some((bit) => keyUsage.has(bit)) ? ['encrypt'] : [];
  return [...signs, ...encrypts].join(' and ');
}

const dayOf = (at: number): string => new Date(at * 1000).toISOString().slice(0, 10);

function certificatesIn(file: string): readonly Sm2Certificate[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new Fault('internal', `${file} cannot be read.`, { cause: error });
  }
  return pemBlocks(text, 'CERTIFICATE').flatMap((block) => readSm2Certificate(block) ?? []);
}
