import type { KeyObject } from 'node:crypto';
import { BoundedMap } from '../shared/bounded-map.ts';
import { Fault } from '../shared/fault.ts';
import type { SqlValue } from '../storage/database.ts';
import { type GuardedTable, KEYS_TABLE } from '../storage/guarded-tables.ts';
import type { CoveredValues, RowSeals } from '../storage/row-guard.ts';
import { deriveKeyBytes, equalInConstantTime, hmacKey, hmacSm3 } from './digests.ts';
import { sealedWith, sealHeader } from './sealing.ts';
import { CONFIGURED, type RingKey, type SecretRing } from './secret-ring.ts';

/** Rows found right lately, of each table: the people who are here just now, and every portal. */
const KEPT_MAX = 5_000;
/**
 * Read once or twice, or beside a hash that takes ten thousand times as long; artifacts that are read again are kept as they were judged. And
 * people as they are found: among a million nobody was judged lately, and whoever is found is to cost the same digest as who is not.
 */
const NOT_KEPT: ReadonlySet<string> = new Set([
  'passwords',
  'recovery_codes',
  'artifacts',
  'scans',
  'recoveries',
  'enrolment_drafts',
  'found_people',
]);

interface Kept {
  readonly values: CoveredValues;
  readonly seal: Uint8Array;
}

export interface RingRowSeals extends RowSeals {
  /** From now on rows stand under the keys of the ring; before, only those of `keys` can be sealed and judged. */
  follow(ring: SecretRing): void;
  /** A statement of this house about itself that nobody else can make, hexadecimal. */
  statement(text: string): string;
}

/** The key of the purpose `rows` that stands in the configuration: out of the one that seals. */
export const configuredRowKey = (rootKey: Uint8Array): Uint8Array => deriveKeyBytes(hmacKey(rootKey), 'row-seals');

/**
 * HMAC-SM3 (GB/T 15852.2) over table, name and covered values of a row. Layout as of sealed values: header (layout 1 for the configured key, or
 * layout 2 and the id of the key) | tag (32). Values go in as a JSON list of texts and nulls, those of
 * passing rows behind the list of their lengths: one text for one row and no other.
 * The rows of `keys` stand under a key of their own out of the root, which outlives the master key.
 */
export function createRowSeals(rootKey: Uint8Array): RingRowSeals {
  const root = hmacKey(rootKey);
  const ofKeys = hmacKey(deriveKeyBytes(root, 'row-seals/keys'));
  const statements = hmacKey(deriveKeyBytes(root, 'row-seals/statements'));
  const prepared = new WeakMap<RingKey, { readonly header: Uint8Array; readonly key: KeyObject }>();
  const kept = new Map<string, Map<string, Kept>>();
  let ring: SecretRing | undefined;

  const under = (key: RingKey) => {
    let made = prepared.get(key);
    if (made === undefined) {
      made = { header: sealHeader(key.id === CONFIGURED ? undefined : key.id), key: hmacKey(key.material) };
      prepared.set(key, made);
    }
    return made;
  };
  const inUse = (table: string) => {
    if (table === KEYS_TABLE) return { header: sealHeader(undefined), key: ofKeys };
    if (ring === undefined) throw new Fault('internal', 'Rows cannot be sealed before the keys of the house are open.');
    return under(ring.writing('rows'));
  };
  const keyFor = (table: string, id: string | undefined) => {
    if (table === KEYS_TABLE) return id === CONFIGURED ? inUse(table) : undefined;
    const key = ring?.keys('rows').find((one) => one.id === id);
    return key && under(key);
  };
  const keep = (table: string, name: string, seen: Kept): void => {
    const rows = kept.get(table) ?? new BoundedMap<string, Kept>(KEPT_MAX);
    kept.set(table, rows.set(name, seen));
  };

  return {
    follow(followed) {
      ring = followed;
    },
    statement: (text) => hmacSm3(statements, text).toString('hex'),

    seal(guarded, values) {
      const { header, key } = inUse(guarded.table);
      const seal = Buffer.concat([header, hmacSm3(key, messageOf(guarded, values))]);
      // A code is redeemed within seconds, and mostly here.
      if (values[0] === 'AuthorizationCode') keep(guarded.table, rowName(guarded, values), { values, seal });
      return seal;
    },

    isRight(guarded, values, seal) {
      if (!(seal instanceof Uint8Array)) return false;
      const { table } = guarded;
      const name = rowName(guarded, values);
      const last = kept.get(table)?.get(name);
      // The very same values under the very same seal: nothing is computed that was computed before.
      if (last !== undefined && sameValues(last.values, values) && sameBytes(last.seal, seal)) return true;
      const found = keyFor(table, sealedWith(seal));
      if (found === undefined) return false;
      const right = Buffer.concat([found.header, hmacSm3(found.key, messageOf(guarded, values))]);
      if (!equalInConstantTime(right, seal)) return false;
      if (!NOT_KEPT.has(table)) keep(table, name, { values, seal });
      return true;
    },
  };
}

const rowName = ({ row }: GuardedTable, values: CoveredValues): string =>
  row.length === 1 ? String(values[0]) : values.slice(0, row.length).join('\n');

function messageOf({ table, isPassing }: GuardedTable, values: CoveredValues): string {
  if (isPassing !== true)
    return JSON.stringify(['tongban-row', table, ...values.map((value) => (value === null ? null : String(value)))]);
  // A payload is JSON already, and to quote it once more would cost a third of the seal.
  let lengths = `tongban-passing-row ${table}`;
  let text = '';
  for (const value of values) {
    const one = value === null ? '' : String(value);
    lengths += value === null ? ' -' : ` ${one.length}`;
    text += one;
  }
  return `${lengths}\n${text}`;
}

const sameValues = (left: readonly SqlValue[], right: readonly SqlValue[]): boolean =>
  left.every((value, place) => value === right[place]);

const sameBytes = (left: Uint8Array, right: Uint8Array): boolean => Buffer.compare(left, right) === 0;
