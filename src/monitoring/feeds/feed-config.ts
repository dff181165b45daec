import { createSecretKey, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { z } from 'zod';
import { fieldFaults, resolveFields } from './bodies/field-map.ts';
import { FORMATS } from './bodies/formats.ts';
import { causeOf } from './feed.ts';
import { FEEDS_MAX, type FeedRecord, feedSchema, hostOf } from './feed-schema.ts';
import type { FeedSetting, SyslogTls } from './feed-setting.ts';

/** One thing that is wrong: where, such as `feeds[0].tls.caFile`, and why. Never holds a value. */
export interface FeedFault {
  readonly path: string;
  readonly reason: string;
}

export type LoadFeedsOutcome =
  | { readonly ok: true; readonly feeds: readonly FeedSetting[] }
  | { readonly ok: false; readonly faults: readonly FeedFault[] };

const FILE_BYTES_MAX = 262_144;
const SECRET_CHARACTERS_MIN = 32;

/**
 * The feeds of the file at `path`: a JSON array. An empty path means none. All faults are reported together. Paths inside are
 * taken from the folder of the file. Files that are named (secrets, certificates) are read here, once.
 */
export function loadFeeds(path: string): LoadFeedsOutcome {
  if (path === '') return { ok: true, feeds: [] };
  const refuse = (reason: string): LoadFeedsOutcome => ({ ok: false, faults: [{ path: 'feeds', reason }] });
  let list: unknown;
  try {
    list = JSON.parse(readSmall(path).toString('utf8'));
  } catch (error) {
    return refuse(error instanceof SyntaxError ? 'the file is not valid JSON' : `the file ${reasonOf(error)}`);
  }
  if (!Array.isArray(list)) return refuse('the file must hold a list');
  if (list.length > FEEDS_MAX) return refuse(`must be at most ${FEEDS_MAX}`);

  const faults: FeedFault[] = [];
  const feeds: FeedSetting[] = [];
  const names = new Set<string>();
  for (const [index, item] of list.entries()) {
    const at = `feeds[${index}]`;
    const parsed = feedSchema.safeParse(item);
    if (!parsed.success) {
      faults.push(...parsed.error.issues.flatMap((issue) => faultsOf(at, issue)));
      continue;
    }
    const { name } = parsed.data;
    if (names.has(name)) faults.push({ path: `${at}.name`, reason: 'is the name of another feed as well' });
    names.add(name);
    feeds.push(settingOf(parsed.data, at, dirname(resolve(path)), faults));
  }
  return faults.length > 0 ? { ok: false, faults } : { ok: true, feeds };
}

function faultsOf(at: string, issue: z.core.$ZodIssue): readonly FeedFault[] {
  const path = [at, ...issue.path.map(String)].join('.');
  if (issue.code !== 'unrecognized_keys') return [{ path, reason: issue.message }];
  return issue.keys.map((key) => ({ path: `${path}.${key}`, reason: 'is not a setting of a feed of this kind' }));
}

/** What the record means. Faults found on the way are added; with any of them the result is not used. */
function settingOf(record: FeedRecord, at: string, folder: string, faults: FeedFault[]): FeedSetting {
  const { name, filter, reveal, fields, address } = record;
  const format = FORMATS[record.format];
  for (const { field, reason } of fieldFaults(format.fields, fields)) {
    faults.push({ path: `${at}.fields.${field}`, reason });
  }
  const common = { name, format, fields: resolveFields(format.fields, fields), filter, reveal };
  const read = (file: string | undefined, where: string): Buffer | undefined => {
    if (file === undefined) return undefined;
    try {
      return readSmall(resolve(folder, file));
    } catch (error) {
      faults.push({ path: `${at}.${where}`, reason: `the file ${reasonOf(error)}` });
      return undefined;
    }
  };
  switch (record.kind) {
    case 'syslog': {
      const port = Number(URL.parse(address)?.port);
      const tls = address.startsWith('tls:') ? tlsOf(record.tls ?? {}, `${at}.tls`, read, faults) : undefined;
      return { ...common, kind: 'syslog', host: hostOf(address), port, tls, enterpriseNumber: record.enterpriseNumber };
    }
    case 'webhook': {
      const secret = read(record.secretFile, 'secretFile')?.toString('utf8').trim();
      if (secret !== undefined && secret.length < SECRET_CHARACTERS_MIN) {
        faults.push({ path: `${at}.secretFile`, reason: `must hold at least ${SECRET_CHARACTERS_MIN} characters` });
      }
      return { ...common, kind: 'webhook', url: address, secret: createSecretKey(Buffer.from(secret || '-')) };
    }
    case 'file': {
      const path = resolve(folder, address);
      if (!isFolder(dirname(path))) faults.push({ path: `${at}.address`, reason: 'its folder does not exist' });
      return { ...common, kind: 'file', path, bytesMax: record.bytesMax, filesMax: record.filesMax };
    }
  }
}

type TlsRecord = NonNullable<Extract<FeedRecord, { readonly kind: 'syslog' }>['tls']>;

function tlsOf(
  record: TlsRecord,
  at: string,
  read: (file: string | undefined, where: string) => Buffer | undefined,
  faults: FeedFault[],
): SyslogTls {
  const ca = read(record.caFile, 'tls.caFile');
  const cert = read(record.certFile, 'tls.certFile');
  const key = read(record.keyFile, 'tls.keyFile');
  try {
    // A text without a certificate would be taken for an empty list of authorities.
    if (ca !== undefined) new X509Certificate(ca);
  } catch {
    faults.push({ path: `${at}.caFile`, reason: 'holds no certificate in PEM' });
  }
  try {
    if (cert !== undefined && key !== undefined) createSecureContext({ cert, key });
  } catch {
    faults.push({ path: `${at}.certFile`, reason: 'does not go with keyFile, or one of them is not PEM' });
  }
  return { ca, cert, key, serverName: record.serverName };
}

function readSmall(path: string): Buffer {
  const found = statSync(path);
  if (!found.isFile() || found.size > FILE_BYTES_MAX) throw new RangeError('not a small file');
  return readFileSync(path);
}

const reasonOf = (error: unknown): string =>
  error instanceof RangeError
    ? `is not a file of at most ${FILE_BYTES_MAX} bytes`
    : `cannot be read (${causeOf(error)})`;

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
