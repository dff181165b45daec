import type { Severity } from '../../../ledger/event-kind.ts';
import { eventKind } from '../../../ledger/events.ts';
import { type FeedEvent, fieldValue, PRODUCT, severityOf, TEST_TYPE, VENDOR } from './feed-event.ts';
import { type FieldDefaults, type FieldMap, fieldsOf } from './field-map.ts';
import { jsonText, nestedObject } from './json-text.ts';

const ECS_VERSION = '8.17.0';

/** The Elastic Common Schema; what it has no word for stands under `tongban`. */
export const ECS_FIELDS: FieldDefaults = {
  named: {
    '@timestamp': 'ts',
    message: 'means',
    'event.action': 'type',
    'event.outcome': 'outcome',
    'event.sequence': 'seq',
    'host.name': 'node',
    'user.id': 'actor',
    'user.target.id': 'subject',
    'source.ip': 'ip',
    'user_agent.original': 'ua',
    'trace.id': 'corr',
    'tongban.client': 'client',
    'tongban.previous_sequence': 'previousSeq',
    'tongban.clause': 'clause',
  },
  detail: (name) => `tongban.${name}`,
  pattern: /^@?[A-Za-z][A-Za-z0-9_-]*(?:\.[A-Za-z][A-Za-z0-9_-]*){0,5}$/,
  nested: true,
};

/** Syslog's own numbers would run the other way; here more is louder. */
const SEVERITY: Readonly<Record<Severity, number>> = { info: 1, notice: 2, warning: 3, alert: 4 };

interface Categories {
  readonly category: readonly string[];
  readonly type: readonly string[];
}

const of = (category: string, ...type: string[]): Categories => ({ category: [category], type });

/** `event.category` and `event.type` are closed lists whose pairs ECS restricts; what decides is the OCSF class and activity. */
const CATEGORIES: Readonly<Record<string, Categories>> = {
  '3001/1': of('iam', 'user', 'creation'),
  3001: of('iam', 'user', 'change'),
  '3002/1': of('authentication', 'start'),
  '3002/2': of('authentication', 'end'),
  3002: of('authentication', 'info'),
  3003: of('session', 'start'),
  '3004/1': of('configuration', 'creation'),
  '3004/2': of('database', 'access'),
  '3004/3': of('configuration', 'change'),
  '3004/4': of('configuration', 'deletion'),
  3004: of('configuration', 'info'),
  3005: of('iam', 'user', 'change'),
  6003: of('api', 'access'),
  2004: of('intrusion_detection', 'info'),
};
const OTHER = of('host', 'info');

function categoriesOf(type: string): Categories {
  const kind = eventKind(type)?.ocsf;
  if (kind === undefined) return OTHER;
  return CATEGORIES[`${kind.classUid}/${kind.activityId}`] ?? CATEGORIES[kind.classUid] ?? OTHER;
}

const texts = (...values: unknown[]): string[] | undefined => {
  const given = [...new Set(values.filter((value) => typeof value === 'string'))];
  return given.length === 0 ? undefined : given;
};

/** One event as an ECS document on one line. */
export function ecsBody(event: FeedEvent, map: FieldMap, version: string): string {
  const { type, actor, subject } = event.entry;
  const severity = severityOf(type);
  const { category, type: types } = categoriesOf(type);
  const fixed: readonly (readonly [string, unknown])[] = [
    ['ecs.version', ECS_VERSION],
    ['event.kind', severity === 'alert' ? 'alert' : 'event'],
    ['event.category', category],
    ['event.type', types],
    ['event.severity', SEVERITY[severity]],
    ['event.provider', 'tongban'],
    ['observer.vendor', VENDOR],
    ['observer.product', PRODUCT],
    ['observer.version', version],
    ['related.user', texts(actor, subject)],
    ['related.ip', texts(map.named.some(([, source]) => source === 'ip') ? fieldValue(event, 'ip') : undefined)],
    ['tongban.test', type === TEST_TYPE ? true : undefined],
  ];
  return jsonText(nestedObject([...fieldsOf(event, map), ...fixed]));
}
