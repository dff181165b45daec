import { readFileSync } from 'node:fs';
import { readSm2Certificate, type Sm2Certificate } from '../../crypto/x509/certificate.ts';
import { pemBlocks } from '../../crypto/x509/pem.ts';
import { type RevocationList, readRevocationList } from '../../crypto/x509/revocation-list.ts';
import { nowMs } from '../../shared/clock.ts';
import { Fault } from '../../shared/fault.ts';
import type { Trust } from './authorities.ts';

/** Lists are put in place by whoever fetches them from the authority; a new one counts after this long at the latest. */
const REREAD_MS = 30_000;

/**
 * What the house believes, out of files. Authorities are read once: a file that is none stops the start with `Fault('internal')`. Lists are
 * read again and again; one that cannot be read is none, and certificates it would cover are refused until it can.
 */
export function trustFrom(authorityFiles: readonly string[], revocationFiles: readonly string[]): () => Trust {
  const authorities = authorityFiles.flatMap(readAuthorities);
  let lists: readonly RevocationList[] = [];
  let readAtMs = Number.NEGATIVE_INFINITY;
  return () => {
    const now = nowMs();
    if (now < readAtMs || now - readAtMs > REREAD_MS) {
      lists = revocationFiles.flatMap(readLists);
      readAtMs = now;
    }
    return { authorities, lists };
  };
}

function readAuthorities(file: string): readonly Sm2Certificate[] {
  const read = pemBlocks(readFileSync(file, 'utf8'), 'CERTIFICATE').map(readSm2Certificate);
  const certificates = read.filter((certificate) => certificate !== undefined);
  if (certificates.length === 0 || certificates.length < read.length) {
    throw new Fault('internal', `certificates.authorityFiles names ${file}, which is no PEM file of SM2 certificates.`);
  }
  return certificates;
}

function readLists(file: string): readonly RevocationList[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return [];
  }
  return pemBlocks(text, 'X509 CRL').flatMap((der) => readRevocationList(der) ?? []);
}
