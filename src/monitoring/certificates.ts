import { X509Certificate } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { CertificateReading } from './metric-sources.ts';

const FILE_BYTES_MAX = 262_144;
const PEM = /-----BEGIN (?:TRUSTED )?CERTIFICATE-----[\s\S]+?-----END (?:TRUSTED )?CERTIFICATE-----/g;

/** When each of these PEM files ends: the earliest end of all certificates in a file, for a chain is as good as its shortest link. */
export const readCertificates = (files: readonly string[]): Promise<readonly CertificateReading[]> =>
  Promise.all(files.map(readOne));

async function readOne(file: string): Promise<CertificateReading> {
  const text = await textOf(file);
  if (text === undefined) return { file, reason: 'cannot be read' };
  const ends = (text.match(PEM) ?? []).map(endOf);
  if (ends.length === 0) return { file, reason: 'holds no certificate' };
  const expiresAt = Math.min(...ends);
  return Number.isNaN(expiresAt) ? { file, reason: 'holds a damaged certificate' } : { file, expiresAt };
}

/** NaN for what is no certificate. */
function endOf(pem: string): number {
  try {
    return Math.floor(new X509Certificate(pem).validToDate.getTime() / 1000);
  } catch {
    return Number.NaN;
  }
}

/** Opened once, so that size and content are those of one file; undefined when it is missing, too large or no file. */
async function textOf(file: string): Promise<string | undefined> {
  try {
    await using handle = await open(file, 'r');
    const found = await handle.stat();
    return found.isFile() && found.size <= FILE_BYTES_MAX ? await handle.readFile('utf8') : undefined;
  } catch {
    return undefined;
  }
}
