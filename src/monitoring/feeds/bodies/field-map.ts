import type { EntryValue } from '../../../ledger/entry.ts';
import { type FeedEvent, fieldValue, isSource } from './feed-event.ts';

/** What a format calls things unless the feed says otherwise. */
export interface FieldDefaults {
  /** From the field of the receiver to the source it is filled from. */
  readonly named: Readonly<Record<string, string>>;
  /** The field of a detail that is not named. */
  readonly detail: (name: string) => string;
  /** What a field may be called. */
  readonly pattern: RegExp;
  /** True where a dot in a name leads into a nested object. */
  readonly nested: boolean;
}

/** A resolved map, made once when the feed is loaded. */
export interface FieldMap {
  readonly named: readonly (readonly [field: string, source: string])[];
  /** The field of a detail; undefined leaves it out. */
  readonly detail: (name: string) => string | undefined;
}

/** As configured: a field and its source, or null to leave the field out. */
export type FieldOverrides = Readonly<Record<string, string | null>>;

/**
 * The map of a feed. A source that is given a field leaves the one it has by default; a field that is given a source, or null,
 * loses the one it had.
 */
export function resolveFields(defaults: FieldDefaults, overrides: FieldOverrides = {}): FieldMap {
  const moved = new Set(Object.values(overrides));
  const given = new Map(Object.entries(overrides));
  const kept = Object.entries(defaults.named).filter(([field, source]) => !moved.has(source) && !given.has(field));
  const added = [...given].flatMap(([field, source]) => (source === null ? [] : [[field, source] as const]));
  return {
    named: [...kept, ...added],
    detail: (name) => {
      const field = defaults.detail(name);
      return moved.has(`data.${name}`) || given.has(field) ? undefined : field;
    },
  };
}

/** What is wrong with a map: the field and why. */
export function fieldFaults(
  defaults: FieldDefaults,
  overrides: FieldOverrides,
): readonly { readonly field: string; readonly reason: string }[] {
  const faults = Object.entries(overrides).flatMap(([field, source]) => {
    if (!defaults.pattern.test(field)) return [{ field, reason: 'is not a name this format can carry' }];
    if (source !== null && !isSource(source)) return [{ field, reason: 'is filled from something no event has' }];
    return [];
  });
  if (!defaults.nested) return faults;
  const fields = resolveFields(defaults, overrides).named.map(([field]) => field);
  const buried = Object.keys(overrides).filter((field) =>
    fields.some((other) => other.startsWith(`${field}.`) || field.startsWith(`${other}.`)),
  );
  return [...faults, ...buried.map((field) => ({ field, reason: 'is a part of another field' }))];
}

/** The fields of one event with their values, in the order of the map; what has no value is left out. */
export function fieldsOf(event: FeedEvent, map: FieldMap): readonly (readonly [string, EntryValue, string])[] {
  const fields: [string, EntryValue, string][] = [];
  for (const [field, source] of map.named) {
    const value = fieldValue(event, source);
    if (value !== undefined) fields.push([field, value, source]);
  }
  for (const name of Object.keys(event.entry.data)) {
    const source = `data.${name}`;
    const field = map.detail(name);
    const value = field === undefined ? undefined : fieldValue(event, source);
    if (field !== undefined && value !== undefined) fields.push([field, value, source]);
  }
  return fields;
}
