import type { EntryValue } from '../../../ledger/entry.ts';
import type { Severity } from '../../../ledger/event-kind.ts';
import { type FeedEvent, meansOf, PRODUCT, severityOf, TEST_TYPE, VENDOR } from './feed-event.ts';
import { type FieldDefaults, type FieldMap, fieldsOf } from './field-map.ts';

/** The keys of the CEF dictionary; what it has no word for stands in custom strings, with a label, or under our own prefix. */
export const CEF_FIELDS: FieldDefaults = {
  named: {
    rt: 'timeMs',
    externalId: 'seq',
    cn1: 'previousSeq',
    act: 'type',
    outcome: 'outcome',
    suser: 'actor',
    duser: 'subject',
    src: 'ip',
    requestClientApplication: 'ua',
    dvchost: 'node',
    cs1: 'client',
    cs2: 'corr',
    cs3: 'clause',
  },
  detail: (name) => `Tongban${name.charAt(0).toUpperCase()}${name.slice(1).replaceAll(/[^A-Za-z0-9]/g, '')}`,
  pattern: /^[A-Za-z][A-Za-z0-9]{0,62}$/,
  nested: false,
};

/** CEF counts from 0 to 10: 0-3 low, 4-6 medium, 7-8 high, 9-10 very high. */
const SEVERITY: Readonly<Record<Severity, number>> = { info: 2, notice: 4, warning: 6, alert: 9 };

const LABELLED = /^(?:cs|cn|c6a|cfp|flexString|flexNumber|flexDate|deviceCustomDate)\d$/;

/** What neither header nor extension has an escape for: controls, line separators, marks of direction, BOM. */
const UNSAFE = /[\p{Cc}\p{Cs}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/gu;
const REPLACEMENT = '\ufffd';

/** A field of the header: `\` and `|` escaped; a line break cannot stand there. */
const header = (value: string): string =>
  value
    .replaceAll(/\r\n|[\r\n]/g, ' ')
    .replaceAll(UNSAFE, REPLACEMENT)
    .replaceAll(/[\\|]/g, '\\$&');

/** A value of the extension: `\` and `=` escaped, line breaks as `\n` and `\r`. */
const extension = (value: string): string =>
  value.replaceAll(/[\\=]/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll(UNSAFE, REPLACEMENT);

const textOf = (value: EntryValue): string => (typeof value === 'object' ? value.join(',') : String(value));

/** One event in the Common Event Format, version 0, on one line. */
export function cefBody(event: FeedEvent, map: FieldMap, version: string): string {
  const { type } = event.entry;
  const head = ['CEF:0', VENDOR, PRODUCT, version, type, meansOf(type)].map(header);
  const pairs = fieldsOf(event, map).flatMap(([field, value, source]) => {
    const pair = `${field}=${extension(textOf(value))}`;
    return LABELLED.test(field) ? [pair, `${field}Label=${extension(source)}`] : [pair];
  });
  if (type === TEST_TYPE) pairs.push('TongbanTest=true');
  return `${head.join('|')}|${SEVERITY[severityOf(type)]}|${pairs.join(' ')}`;
}
