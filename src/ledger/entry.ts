import { sm3Base64 } from '../crypto/digests.ts';
import { Fault } from '../shared/fault.ts';

/** What `data` of an entry may hold. Numbers are safe integers, so that every JSON library reads the same. */
export type EntryValue = string | number | boolean | readonly string[];

/**
 * One entry of the ledger: always these twelve members, null where void (L1). `ts` is UTC with milliseconds. `actor` is a person
 * id, `client:<id>`, `operator:<name>`, `system` or `anonymous`. Personal values stand as commitments (`c:...`).
 */
export interface LedgerEntry {
  readonly v: 1;
  readonly ts: string;
  readonly node: string;
  readonly type: string;
  readonly outcome: 'success' | 'failure';
  readonly actor: string;
  readonly subject: string | null;
  readonly client: string | null;
  readonly ip: string | null;
  readonly ua: string | null;
  readonly corr: string | null;
  readonly data: Readonly<Record<string, EntryValue>>;
}

export const ENTRY_BYTES_MAX = 16_384;
export const SALT_BYTES = 32;

const COMMITMENT_PREFIX = 'c:';
const COMMITMENT = /^c:[A-Za-z0-9+/]{43}=$/;
const COMMITMENT_TAG = 2;
const NAME_LENGTH_BYTES = 2;
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;
const MEMBERS = 'actor,client,corr,data,ip,node,outcome,subject,ts,type,ua,v';

const json = (value: EntryValue | null): string => (value === null ? 'null' : JSON.stringify(value));

function canonicalData(data: LedgerEntry['data']): string {
  const names = Object.keys(data);
  if (names.length === 0) return '{}';
  // RFC 8785 3.2.3 sorts by UTF-16 code units, which is what an array of strings is sorted by anyway.
  let members = '';
  for (const name of names.sort()) members += `${members === '' ? '' : ','}${json(name)}:${json(data[name]!)}`;
  return `{${members}}`;
}

/**
 * The entry as it is hashed: JSON in the canonical form of RFC 8785. Members stand in the order of their names.
 * Text must be well-formed Unicode. Throws `Fault('internal')` when the entry would be longer than 16 KiB: whoever writes an
 * event bounds what it says.
 */
export function canonicalEntry(entry: LedgerEntry): string {
  const { actor, client, corr, data, ip, node, outcome, subject, ts, type, ua } = entry;
  const text = `{"actor":${json(actor)},"client":${json(client)},"corr":${json(corr)},"data":${canonicalData(data)},"ip":${json(ip)},"node":${json(node)},"outcome":"${outcome}","subject":${json(subject)},"ts":"${ts}","type":${json(type)},"ua":${json(ua)},"v":1}`;
  // Each UTF-16 unit is at most three bytes, so most texts need not be measured.
  if (text.length * 3 > ENTRY_BYTES_MAX && Buffer.byteLength(text) > ENTRY_BYTES_MAX) {
    throw new Fault('internal', `A ledger entry of type ${type} would have more than ${ENTRY_BYTES_MAX} bytes.`);
  }
  return text;
}

const isTextOrNull = (value: unknown): value is string | null => value === null || typeof value === 'string';

const isEntryValue = (value: unknown): value is EntryValue =>
  typeof value === 'string' ||
  typeof value === 'boolean' ||
  Number.isSafeInteger(value) ||
  (Array.isArray(value) && value.every((item) => typeof item === 'string'));

const isAscending = (names: readonly string[]): boolean => names.every((name, at) => at === 0 || names[at - 1]! < name);

/** The entry behind a canonical text; undefined for anything this house would not have written so, byte for byte. */
export function parseEntry(text: string): LedgerEntry | undefined {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Object.keys(value).join() !== MEMBERS) return undefined;
  const { actor, client, corr, data, ip, node, outcome, subject, ts, type, ua, v } = value;
  const wellFormed =
    v === 1 &&
    typeof actor === 'string' &&
    typeof node === 'string' &&
    typeof type === 'string' &&
    (outcome === 'success' || outcome === 'failure') &&
    typeof ts === 'string' &&
    TIME.test(ts) &&
    [client, corr, ip, subject, ua].every(isTextOrNull) &&
    typeof data === 'object' &&
    data !== null &&
    !Array.isArray(data) &&
    Object.values(data).every(isEntryValue);
  if (!wellFormed) return undefined;
  // With the members in their order, the engine's own serializer gives the canonical form, at half the price of building it.
  const canonical = isAscending(Object.keys(data)) && JSON.stringify(value) === text;
  return canonical && Buffer.byteLength(text) <= ENTRY_BYTES_MAX ? (value as unknown as LedgerEntry) : undefined;
}

/**
 * What stands in place of a personal value (L2): `c:` and the base64 of SM3(0x02 || length of the field's name, 16 bits, big
 * endian || name || salt || value). The 32 random bytes of salt are what keeps ten thousand million likely numbers from being
 * tried; without them the value can be shown to belong here and cannot be guessed.
 */
export function commitment(field: string, salt: Uint8Array, value: string): string {
  const nameBytes = Buffer.byteLength(field);
  const saltAt = 1 + NAME_LENGTH_BYTES + nameBytes;
  const valueAt = saltAt + salt.length;
  // One piece of memory: pieces of their own and their joining cost more than the digest.
  const opened = Buffer.allocUnsafe(valueAt + Buffer.byteLength(value));
  opened[0] = COMMITMENT_TAG;
  opened.writeUInt16BE(nameBytes, 1);
  opened.write(field, 1 + NAME_LENGTH_BYTES);
  opened.set(salt, saltAt);
  opened.write(value, valueAt);
  return COMMITMENT_PREFIX + sm3Base64(opened);
}

export const isCommitment = (value: unknown): value is string => typeof value === 'string' && COMMITMENT.test(value);
