import { type FeedEvent, SOURCES, TEST_TYPE } from './feed-event.ts';
import { type FieldDefaults, type FieldMap, fieldsOf } from './field-map.ts';
import { jsonText } from './json-text.ts';

/** Our own words, flat: every field bears the name of its source. */
export const JSON_FIELDS: FieldDefaults = {
  named: Object.fromEntries(SOURCES.filter((source) => source !== 'timeMs').map((source) => [source, source])),
  detail: (name) => `data.${name}`,
  pattern: /^[A-Za-z@][A-Za-z0-9_.@-]{0,63}$/,
  nested: false,
};

/** One event as a flat JSON object on one line. */
export function jsonBody(event: FeedEvent, map: FieldMap): string {
  const members = fieldsOf(event, map).map(([field, value]) => [field, value] as const);
  const test = event.entry.type === TEST_TYPE ? [['test', true] as const] : [];
  return jsonText(Object.fromEntries<unknown>([...members, ...test]));
}
