import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join, resolve } from 'node:path';
import { loadConfig } from '../config/load.ts';
import { checkCertificates } from './certs-check.ts';

export const USAGE = `Usage: tongban certs dev [--out FOLDER] [NAME ...]
  make authorities of your own and certificates of both kinds for localhost and the names you add, in certs/local
       tongban certs check AUTHORITIES CERTIFICATE ...
  say of SM2 certificates (PEM) whether they hold, by the authorities in a file, and what each is for
`;

const FOLDER = join(import.meta.dirname, '..', '..', 'certs', 'local');
const AUTHORITY_DAYS = 365;
const LEAF_DAYS = 90;
const NAMES_MAX = 20;
const NAME = /^(?:\*\.)?[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/i;

/** The user id of GB/T 35276 enters every SM2 signature; without it openssl takes an empty one, and nobody else verifies. */
const SM2_ID = 'distid:1234567812345678';

/** A kind of keys, and what openssl must be told of it. */
interface Kind {
  readonly curve: string;
  readonly digest: string;
  readonly signing: readonly string[];
  readonly verifying: readonly string[];
}

const ECDSA: Kind = { curve: 'prime256v1', digest: '-sha256', signing: [], verifying: [] };
const SM2: Kind = {
  curve: 'SM2',
  digest: '-sm3',
  signing: ['-sigopt', SM2_ID],
  verifying: ['-vfyopt', SM2_ID],
};

interface Leaf {
  readonly name: string;
  readonly kind: Kind;
  readonly authority: string;
  readonly usage: string;
  readonly purpose: 'serverAuth' | 'clientAuth';
}

/** A TLCP server shows a pair: one certificate to sign with, one to encrypt to (GB/T 38636). */
const LEAVES: readonly Leaf[] = [
  { name: 'server', kind: ECDSA, authority: 'ca', usage: 'digitalSignature', purpose: 'serverAuth' },
  { name: 'portal', kind: ECDSA, authority: 'ca', usage: 'digitalSignature', purpose: 'serverAuth' },
  { name: 'client', kind: ECDSA, authority: 'ca', usage: 'digitalSignature', purpose: 'clientAuth' },
  { name: 'sm2-sign', kind: SM2, authority: 'sm2-ca', usage: 'digitalSignature', purpose: 'serverAuth' },
  {
    name: 'sm2-encrypt',
    kind: SM2,
    authority: 'sm2-ca',
    usage: 'keyEncipherment,dataEncipherment,keyAgreement',
    purpose: 'serverAuth',
  },
  { name: 'sm2-client', kind: SM2, authority: 'sm2-ca', usage: 'digitalSignature', purpose: 'clientAuth' },
];

/** `tongban certs ...`. Resolves with the exit code: 0 in order, 1 refused, 2 not understood. */
export async function run(args: readonly string[]): Promise<number> {
  const [action, authorities, ...certificates] = args;
  if (action === 'check' && authorities !== undefined && certificates.length > 0) {
    return checkCertificates(authorities, certificates);
  }
  return makeDevelopmentCertificates(args);
}

/**
 * Certificates to develop with, by the openssl command. Authorities that exist are kept, all else is made
 * anew. Refuses under the profile production: who has the key of such an authority can be anybody to everybody who believes it.
 */
function makeDevelopmentCertificates(args: readonly string[]): number {
  const wishes = wishesIn(args);
  if (wishes === undefined) {
    process.stderr.write(USAGE);
    return 2;
  }
  const loaded = loadConfig();
  if (!loaded.ok) {
    for (const { path, reason } of loaded.faults) process.stderr.write(`${path}: ${reason}.\n`);
    return 2;
  }
  if (loaded.config.profile === 'production') {
    process.stderr.write('Certificates to develop with have no place in production: take them from an authority.\n');
    return 1;
  }
  const { folder, names } = wishes;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  makeAuthority(folder, 'ca', ECDSA);
  makeAuthority(folder, 'sm2-ca', SM2);
  for (const leaf of LEAVES) makeLeaf(folder, leaf, names);
  process.stdout.write(
    `${folder} holds certificates for ${names.join(', ')}: ${LEAVES.map(({ name }) => name).join(', ')}.\n` +
      'Trust ca.crt and sm2-ca.crt for as long as you develop, and nowhere else.\n',
  );
  return 0;
}

function wishesIn(args: readonly string[]): { readonly folder: string; readonly names: readonly string[] } | undefined {
  const [action, ...rest] = args;
  if (action !== 'dev') return undefined;
  const chosen = rest[0] === '--out' ? rest[1] : undefined;
  const added = rest[0] === '--out' ? rest.slice(2) : rest;
  if (rest[0] === '--out' && chosen === undefined) return undefined;
  if (added.length > NAMES_MAX || added.some((name) => isIP(name) === 0 && !NAME.test(name))) return undefined;
  const folder = chosen === undefined ? FOLDER : resolve(chosen);
  return { folder, names: [...new Set(['localhost', '127.0.0.1', '::1', ...added])] };
}

function openssl(folder: string, ...args: readonly string[]): void {
  try {
    execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    throw missing ? new Error('the openssl command is not installed') : error;
  }
}

function makeKey(folder: string, name: string, { curve }: Kind): void {
  // Written into a file that is closed to others before there is anything in it.
  writeFileSync(join(folder, `${name}.key`), '', { mode: 0o600 });
  chmodSync(join(folder, `${name}.key`), 0o600);
  openssl(folder, 'ecparam', '-name', curve, '-genkey', '-noout', '-out', `${name}.key`);
}

function makeAuthority(folder: string, name: string, kind: Kind): void {
  if (existsSync(join(folder, `${name}.key`)) && existsSync(join(folder, `${name}.crt`))) return;
  makeKey(folder, name, kind);
  const subject = `/O=Tongban ID/CN=Tongban ID development only (${kind.curve})`;
  const extensions = ['basicConstraints=critical,CA:TRUE,pathlen:0', 'keyUsage=critical,keyCertSign,cRLSign'];
  openssl(
    folder,
    ...['req', '-x509', '-new', '-key', `${name}.key`, kind.digest, ...kind.signing],
    ...['-days', String(AUTHORITY_DAYS), '-subj', subject, '-out', `${name}.crt`],
    ...extensions.flatMap((extension) => ['-addext', extension]),
  );
}

function makeLeaf(folder: string, leaf: Leaf, names: readonly string[]): void {
  const { name, kind, authority } = leaf;
  makeKey(folder, name, kind);
  const request = `${name}.csr`;
  const extensions = `${name}.cnf`;
  writeFileSync(join(folder, extensions), extensionsOf(leaf, names));
  openssl(
    folder,
    ...['req', '-new', '-key', `${name}.key`, kind.digest, ...kind.signing],
    ...['-subj', `/O=Tongban ID/CN=${name}`, '-out', request],
  );
  openssl(
    folder,
    ...['x509', '-req', '-in', request, kind.digest, ...kind.signing, ...kind.verifying],
    ...['-CA', `${authority}.crt`, '-CAkey', `${authority}.key`, '-CAcreateserial'],
    ...['-days', String(LEAF_DAYS), '-extfile', extensions, '-out', `${name}.crt`],
  );
  openssl(folder, 'verify', ...kind.verifying, '-CAfile', `${authority}.crt`, `${name}.crt`);
  for (const rest of [request, extensions]) rmSync(join(folder, rest));
}

function extensionsOf({ usage, purpose }: Leaf, names: readonly string[]): string {
  const alternatives = names.map((name) => `${isIP(name) === 0 ? 'DNS' : 'IP'}:${name}`).join(',');
  return [
    'basicConstraints=critical,CA:FALSE',
    `keyUsage=critical,${usage}`,
    `extendedKeyUsage=${purpose}`,
    ...(purpose === 'serverAuth' ? [`subjectAltName=${alternatives}`] : []),
    '',
  ].join('\n');
}
