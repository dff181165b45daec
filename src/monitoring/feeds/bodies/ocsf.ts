import type { OcsfKind, Severity } from '../../../ledger/event-kind.ts';
import { eventKind } from '../../../ledger/events.ts';
import { type FeedEvent, meansOf, PRODUCT, severityOf, TEST_TYPE, VENDOR } from './feed-event.ts';
import { type FieldDefaults, type FieldMap, fieldsOf } from './field-map.ts';
import { jsonText, nestedObject } from './json-text.ts';

const OCSF_VERSION = '1.5.0';

/** The Open Cybersecurity Schema Framework; what it has no word for stands under `unmapped`, as it demands. */
export const OCSF_FIELDS: FieldDefaults = {
  named: {
    time: 'timeMs',
    message: 'means',
    'metadata.sequence': 'seq',
    'metadata.event_code': 'type',
    'metadata.correlation_uid': 'corr',
    'actor.user.uid': 'actor',
    'src_endpoint.ip': 'ip',
    'http_request.user_agent': 'ua',
    'device.hostname': 'node',
    'service.uid': 'client',
    'unmapped.previous_seq': 'previousSeq',
    'unmapped.clause': 'clause',
  },
  detail: (name) => `unmapped.${name}`,
  pattern: /^[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*){0,5}$/,
  nested: true,
};

/** 1 informational, 2 low, 3 medium, 4 high. */
const SEVERITY_ID: Readonly<Record<Severity, number>> = { info: 1, notice: 2, warning: 3, alert: 4 };

/** The base event, for what only a newer version knows. */
const BASE: OcsfKind = { classUid: 0, activityId: 99 };
const CLASS = {
  accountChange: 3001,
  authentication: 3002,
  session: 3003,
  entity: 3004,
  access: 3005,
  api: 6003,
  finding: 2004,
};

/** What a class requires beyond the attributes of all classes. */
function requiredOf(classUid: number, { entry, seq }: FeedEvent): readonly (readonly [string, unknown])[] {
  const user = ['user.uid', entry.subject ?? entry.actor] as const;
  switch (classUid) {
    case CLASS.accountChange:
    case CLASS.session:
      return [user];
    case CLASS.authentication:
      return [user, ['service.name', PRODUCT]];
    case CLASS.access:
      return [user, ['privileges', Array.isArray(entry.data.scopes) ? entry.data.scopes : []]];
    case CLASS.entity:
      return [['entity', { type: entry.type.split('.', 1)[0], uid: entry.subject ?? entry.client ?? entry.node }]];
    case CLASS.api:
      return [['api.operation', entry.type]];
    case CLASS.finding:
      return [['finding_info', { uid: String(seq ?? 'test'), title: meansOf(entry.type) }]];
    default:
      return [];
  }
}

/** One event as an OCSF object on one line. `type_uid` is class times one hundred plus activity. */
export function ocsfBody(event: FeedEvent, map: FieldMap, version: string): string {
  const { entry } = event;
  const { classUid, activityId } = eventKind(entry.type)?.ocsf ?? BASE;
  const succeeded = entry.outcome === 'success';
  const fixed: readonly (readonly [string, unknown])[] = [
    ['category_uid', Math.floor(classUid / 1000)],
    ['class_uid', classUid],
    ['activity_id', activityId],
    ['type_uid', classUid * 100 + activityId],
    ['severity_id', SEVERITY_ID[severityOf(entry.type)]],
    ['status_id', succeeded ? 1 : 2],
    ['status', succeeded ? 'Success' : 'Failure'],
    ['metadata.version', OCSF_VERSION],
    ['metadata.product', { name: PRODUCT, vendor_name: VENDOR, version }],
    ...requiredOf(classUid, event),
    ['unmapped.test', entry.type === TEST_TYPE ? true : undefined],
  ];
  return jsonText(nestedObject([...fieldsOf(event, map), ...fixed]));
}
