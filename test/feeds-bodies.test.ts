import { createHmac, hash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { hmacKey } from '../src/crypto/digests.ts';
import { canonicalEntry, type LedgerEntry, parseEntry } from '../src/ledger/entry.ts';
import { EVENTS } from '../src/ledger/events.ts';
import type { FeedEvent } from '../src/monitoring/feeds/bodies/feed-event.ts';
import { type FieldOverrides, fieldFaults, resolveFields } from '../src/monitoring/feeds/bodies/field-map.ts';
import { FORMAT_NAMES, FORMATS, type FormatName } from '../src/monitoring/feeds/bodies/formats.ts';
import type { FeedMessage } from '../src/monitoring/feeds/feed.ts';
import { feedSchema } from '../src/monitoring/feeds/feed-schema.ts';
import { passes } from '../src/monitoring/feeds/feed-setting.ts';
import { syslogFrames } from '../src/monitoring/feeds/syslog-frame.ts';
import { webhookSignature } from '../src/monitoring/feeds/webhook.ts';
import { temporaryFolder } from './support/databases.ts';
import { entryOf } from './support/ledger-rows.ts';

const COMMITMENT = `c:${Buffer.alloc(32, 7).toString('base64')}`;

function bodyOf(
  format: FormatName,
  entry: Partial<LedgerEntry>,
  options: Partial<FeedEvent> & { fields?: FieldOverrides } = {},
) {
  const { fields = {}, ...event } = options;
  const { fields: defaults, body } = FORMATS[format];
  const whole = { seq: 7, previous: 5, opened: {}, ...event, entry: entryOf(entry) };
  return body(whole, resolveFields(defaults, fields), '1.2.3');
}

/** Reads CEF as the standard describes it, without a look at our writer. */
function readCef(line: string): { header: string[]; extension: Record<string, string> } {
  const header: string[] = [''];
  let at = 0;
  for (; header.length < 8; at += 1) {
    if (at >= line.length) throw new Error('the header ends early');
    if (line[at] === '\\') {
      at += 1;
      header.push(`${header.pop()}${line[at]}`);
    } else if (line[at] === '|') header.push('');
    else header.push(`${header.pop()}${line[at]}`);
  }
  header.pop();
  const rest = line.slice(at);
  const keys = [...rest.matchAll(/(?:^| )([A-Za-z0-9]+)=/g)].filter(({ index }) => rest[index - 1] !== '\\');
  const extension = keys.map((match, index) => {
    const value = rest.slice(match.index + match[0].length, keys[index + 1]?.index ?? rest.length);
    const plain = value.replaceAll(/\\(.)/g, (_, next: string) => ({ n: '\n', r: '\r' })[next] ?? next);
    return [match[1]!, plain] as const;
  });
  return { header, extension: Object.fromEntries(extension) };
}

/** Reads octet-counted RFC 5424 messages. */
function readSyslog(bytes: Buffer) {
  const messages: { pri: number; header: string[]; sd: Record<string, string>; text: string }[] = [];
  for (let at = 0; at < bytes.length; ) {
    const blank = bytes.indexOf(0x20, at);
    const length = Number(bytes.subarray(at, blank).toString());
    const frame = bytes.subarray(blank + 1, blank + 1 + length).toString('utf8');
    at = blank + 1 + length;
    const parts =
      /^<(\d+)>1 (\S+) (\S+) (\S+) (\S+) (\S+) \[(\S+)((?: \w+="(?:[^"\\\]]|\\.)*")*)\] \ufeff([\s\S]*)$/.exec(frame);
    if (parts === null) throw new Error(`no message: ${frame}`);
    const sd = [...parts[8]!.matchAll(/ (\w+)="((?:[^"\\\]]|\\.)*)"/g)].map(([, name, value]) => [
      name!,
      value!.replaceAll(/\\(.)/g, '$1'),
    ]);
    messages.push({
      pri: Number(parts[1]),
      header: parts.slice(2, 8) as string[],
      sd: Object.fromEntries(sd),
      text: parts[9]!,
    });
  }
  return messages;
}

const HOSTILE: readonly (readonly [name: string, value: string])[] = [
  ['line breaks', 'a\nb\r\nc\rd'],
  ['pipes and backslashes', 'a|b\\|c\\'],
  ['a forged extension', 'x act=forged\\= src=1.2.3.4'],
  ['brackets and quotes', 'a]b"c\\"] [x@1 y="z"]'],
  ['a byte order mark', '\ufeffa\ufeff'],
  ['characters of four bytes', '😀𠮷'],
  ['controls', '\u0000\u0007\u001b[2J\u007f\u0085\u009b'],
  ['marks of direction', '\u202eabc\u2066\u200f'],
  ['line separators', 'a\u2028b\u2029c'],
  ['a forged frame', '\n<14>1 2026-01-01T00:00:00Z h a - - - forged'],
  ['a forged JSON member', '","type":"forged","x":"'],
];
const INVISIBLE = /[\p{Cc}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/u;

for (const [name, value] of HOSTILE) {
  test(`H6 ${name} in a value stay a value in every format`, (t) => {
    const entry = entryOf({ type: 'person.disabled', actor: `operator:${value}`, data: { reason: value } });
    t.truthy(parseEntry(canonicalEntry(entry)), 'such an entry can stand in the ledger');
    for (const format of FORMAT_NAMES) {
      const text = bodyOf(format, entry);
      t.false(INVISIBLE.test(text), `${format} is one line of visible text`);
    }
    t.is(JSON.parse(bodyOf('json', entry))['data.reason'], value);
    t.is(JSON.parse(bodyOf('ecs', entry)).tongban.reason, value);
    t.is(JSON.parse(bodyOf('ocsf', entry)).unmapped.reason, value);
    const { header, extension } = readCef(bodyOf('cef', entry));
    t.deepEqual(header.slice(0, 5), ['CEF:0', 'Tongban', 'Tongban ID', '1.2.3', 'person.disabled']);
    t.is(extension.act, 'person.disabled', 'nothing in a value becomes a field');
    t.is(
      extension.TongbanReason,
      value.replaceAll(/(?![\n\r])[\p{Cc}\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/gu, '\ufffd'),
    );
  });

  test(`H6 ${name} in a type or a node cannot break a syslog frame`, (t) => {
    const message: FeedMessage = {
      seq: 1,
      previous: 0,
      ts: entryOf().ts,
      node: `n${value}`,
      type: `t${value}`,
      severity: 'info',
      text: value,
    };
    const read = readSyslog(syslogFrames([message, { ...message, seq: 2 }], 32_473));
    t.deepEqual(
      read.map(({ sd }) => sd.seq),
      ['1', '2'],
    );
    t.is(read[0]!.text, value);
    t.is(read[0]!.sd.type, `t${value}`.replaceAll(/\p{Cc}/gu, '?'));
    for (const field of read[0]!.header) t.regex(field, /^[\x21-\x7e]{1,255}$/);
  });
}

test('H6 a syslog message has facility, severity, numbers and the SM3 digest of its batch', (t) => {
  const message = (seq: number, severity: FeedMessage['severity']): FeedMessage => ({
    seq,
    previous: seq === 1 ? null : seq - 1,
    ts: '2026-01-01T00:00:00.123Z',
    node: 'n1',
    type: 'sign-in.refused',
    severity,
    text: `通办 ${seq}`,
  });
  const read = readSyslog(
    syslogFrames([message(1, 'info'), message(2, 'notice'), message(3, 'warning'), message(4, 'alert')], 99),
  );
  t.deepEqual(
    read.map(({ pri }) => pri),
    [13 * 8 + 6, 13 * 8 + 5, 13 * 8 + 4, 13 * 8 + 1],
  );
  t.deepEqual(read[0]!.header, ['2026-01-01T00:00:00.123Z', 'n1', 'tongban', '-', 'sign-in.refused', 'tongban@99']);
  const sm3 = hash('sm3', '通办 1\n通办 2\n通办 3\n通办 4', 'hex');
  t.deepEqual(read[0]!.sd, { seq: '1', type: 'sign-in.refused', batch: '1-4', sm3 });
  t.deepEqual(read[3]!.sd, { seq: '4', prev: '3', type: 'sign-in.refused', batch: '1-4', sm3 });
});

test('each format says the same event in its own words', (t) => {
  const entry: Partial<LedgerEntry> = {
    type: 'sign-in.refused',
    outcome: 'failure',
    subject: 'p_2',
    client: 'library',
    corr: 'r-1',
    data: { reason: 'password', repeated: 3 },
  };
  t.deepEqual(JSON.parse(bodyOf('json', entry)), {
    seq: 7,
    previousSeq: 5,
    ts: '2026-01-01T00:00:00.000Z',
    node: 'n1',
    type: 'sign-in.refused',
    means: EVENTS['sign-in.refused'].means,
    severity: 'warning',
    outcome: 'failure',
    actor: 'p_1',
    subject: 'p_2',
    client: 'library',
    corr: 'r-1',
    clause: '8.1.4.1',
    'data.reason': 'password',
    'data.repeated': 3,
  });
  t.deepEqual(readCef(bodyOf('cef', entry)), {
    header: ['CEF:0', 'Tongban', 'Tongban ID', '1.2.3', 'sign-in.refused', EVENTS['sign-in.refused'].means, '6'],
    extension: {
      rt: '1767225600000',
      externalId: '7',
      cn1: '5',
      cn1Label: 'previousSeq',
      act: 'sign-in.refused',
      outcome: 'failure',
      suser: 'p_1',
      duser: 'p_2',
      dvchost: 'n1',
      cs1: 'library',
      cs1Label: 'client',
      cs2: 'r-1',
      cs2Label: 'corr',
      cs3: '8.1.4.1',
      cs3Label: 'clause',
      TongbanReason: 'password',
      TongbanRepeated: '3',
    },
  });
  const ecs = JSON.parse(bodyOf('ecs', entry));
  t.is(ecs['@timestamp'], '2026-01-01T00:00:00.000Z');
  t.like(ecs.event, {
    kind: 'event',
    category: ['authentication'],
    type: ['start'],
    outcome: 'failure',
    action: 'sign-in.refused',
    sequence: 7,
  });
  t.deepEqual(ecs.related, { user: ['p_1', 'p_2'] });
  t.deepEqual(ecs.user, { id: 'p_1', target: { id: 'p_2' } });
  t.deepEqual(ecs.tongban, {
    client: 'library',
    previous_sequence: 5,
    clause: '8.1.4.1',
    reason: 'password',
    repeated: 3,
  });
  const ocsf = JSON.parse(bodyOf('ocsf', entry));
  t.like(ocsf, {
    category_uid: 3,
    class_uid: 3002,
    activity_id: 1,
    type_uid: 300_201,
    time: 1_767_225_600_000,
    severity_id: 3,
    status_id: 2,
  });
  t.is(ocsf.metadata.sequence, 7);
  t.is(ocsf.user.uid, 'p_2');
});

test('every type of the catalogue has a body in every format, with what its OCSF class requires', (t) => {
  const required: Readonly<Record<number, (body: Record<string, unknown>) => unknown>> = {
    3001: ({ user }) => user,
    3002: ({ user }) => user,
    3003: ({ user }) => user,
    3004: ({ entity }) => entity,
    3005: ({ user, privileges }) => user && privileges,
    6003: ({ api, actor }) => api && actor,
    2004: ({ finding_info }) => finding_info,
  };
  for (const [type, { ocsf }] of Object.entries(EVENTS)) {
    const body = JSON.parse(bodyOf('ocsf', { type, subject: null }));
    t.is(body.type_uid, ocsf.classUid * 100 + ocsf.activityId);
    t.is(body.category_uid, Math.floor(ocsf.classUid / 1000));
    t.truthy(required[ocsf.classUid]?.(body), type);
    for (const name of ['time', 'metadata', 'severity_id', 'activity_id']) t.true(name in body, `${type} ${name}`);
    const ecs = JSON.parse(bodyOf('ecs', { type }));
    t.is(ecs.event.category.length, 1);
    t.is(readCef(bodyOf('cef', { type })).header[4], type);
  }
  const newer = JSON.parse(bodyOf('ocsf', { type: 'of.a-newer-version' }));
  t.like(newer, { class_uid: 0, category_uid: 0, type_uid: 99, severity_id: 2 });
});

test('H6 commitments stay inside, and only what was opened is told', (t) => {
  const entry = { ip: COMMITMENT, ua: COMMITMENT, data: { reason: COMMITMENT, fields: ['name'] } };
  for (const format of FORMAT_NAMES) {
    t.false(bodyOf(format, entry).includes(COMMITMENT.slice(2, 12)), format);
    t.true(bodyOf(format, entry, { opened: { ip: '192.0.2.7' } }).includes('192.0.2.7'), format);
  }
  t.is(
    JSON.parse(bodyOf('json', { ip: '198.51.100.1' })).ip,
    '198.51.100.1',
    'the address of a portal is not personal',
  );
  t.deepEqual(JSON.parse(bodyOf('ecs', entry, { opened: { ip: '192.0.2.7' } })).related.ip, ['192.0.2.7']);
});

test('fields are renamed, copied, swapped and left out', (t) => {
  const entry = { client: 'library', corr: 'r-1', data: { amr: ['pwd', 'otp'] } };
  const cef = readCef(
    bodyOf('cef', entry, { fields: { sourceServiceName: 'client', cs2: null, cs4: 'data.amr', act: 'means' } }),
  ).extension;
  t.is(cef.sourceServiceName, 'library');
  t.false('cs1' in cef || 'cs1Label' in cef || 'cs2' in cef || 'TongbanAmr' in cef);
  t.is(cef.cs4, 'pwd,otp');
  t.is(cef.cs4Label, 'data.amr');
  t.is(cef.act, EVENTS['sign-in.succeeded'].means);
  const json = JSON.parse(
    bodyOf('json', entry, { fields: { who: 'actor', whom: 'actor', 'data.amr': null, node: null } }),
  );
  t.is(json.who, json.whom);
  t.false('actor' in json || 'data.amr' in json || 'node' in json);
  const ecs = JSON.parse(bodyOf('ecs', entry, { fields: { 'client.user.id': 'actor' } }));
  t.deepEqual([ecs.client.user.id, ecs.user], ['p_1', { target: { id: 'p_1' } }]);
  const related = JSON.parse(bodyOf('ecs', { ip: '198.51.100.1' }, { fields: { 'source.ip': null } }));
  t.false(JSON.stringify(related).includes('198.51.100.1'), 'an address left out is left out everywhere');
});

test('a field map that cannot work is refused with the reason', (t) => {
  const faults = (format: FormatName, fields: FieldOverrides) => fieldFaults(FORMATS[format].fields, fields);
  t.deepEqual(faults('cef', { src: 'ip', cs1: 'data.reason', x: 'data.session' }), []);
  t.deepEqual(faults('cef', { 'a b': 'ip', c: 'address', d: 'data.nothing', e: 'toString' }), [
    { field: 'a b', reason: 'is not a name this format can carry' },
    { field: 'c', reason: 'is filled from something no event has' },
    { field: 'd', reason: 'is filled from something no event has' },
    { field: 'e', reason: 'is filled from something no event has' },
  ]);
  t.is(faults('ecs', { source: 'client' })[0]?.reason, 'is a part of another field');
  t.is(faults('ocsf', { 'time.x': 'client' })[0]?.reason, 'is a part of another field');
  t.is(faults('ecs', { __proto__x: 'client' })[0]?.field, '__proto__x');
  t.is(
    JSON.parse(bodyOf('ecs', {}, { fields: { 'constructor.prototype.x': 'client' } })).event.action,
    'sign-in.succeeded',
  );
});

test('a filter takes what is loud enough and of its types', (t) => {
  const rows: readonly [
    severityMin: 'info' | 'warning',
    types: string[],
    type: string,
    severity: 'info' | 'alert',
    boolean,
  ][] = [
    ['info', [], 'portal.entered', 'info', true],
    ['warning', [], 'portal.entered', 'info', false],
    ['warning', [], 'refresh.reused', 'alert', true],
    ['info', ['sign-in.'], 'sign-in.refused', 'alert', true],
    ['info', ['sign-in.'], 'sign-in', 'alert', false],
    ['info', ['audit.gap'], 'audit.gap', 'alert', true],
    ['info', ['audit.gap'], 'audit.gaps', 'alert', false],
    ['warning', ['sign-in.'], 'sign-in.succeeded', 'info', false],
  ];
  for (const [severityMin, types, type, severity, expected] of rows) {
    t.is(passes({ severityMin, types }, type, severity), expected, `${type} ${severity}`);
  }
});

test('X11 the signature of a webhook covers id, time and body', (t) => {
  const secret = 'a secret of thirty-two characters';
  const signed = (id: string, time: number, body: string) =>
    webhookSignature(hmacKey(Buffer.from(secret)), id, time, body);
  const expected = createHmac('sm3', secret).update('a_1_2.1767225600.[{}]').digest('hex');
  t.is(signed('a_1_2', 1_767_225_600, '[{}]'), `sm3=${expected}`);
  t.is(new Set([signed('a', 1, 'x'), signed('b', 1, 'x'), signed('a', 2, 'x'), signed('a', 1, 'y')]).size, 4);
});

const GUIDE = readFileSync(join(import.meta.dirname, '..', 'docs', 'feeds.md'), 'utf8');
const example = (language: string): string =>
  new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(GUIDE)?.[1] ?? '';

test('X11 the receiver in the guide takes what we sign, and nothing altered, old or unsigned', async (t) => {
  const file = join(temporaryFolder(t), 'receiver.mjs');
  writeFileSync(file, example('js'));
  const { verified } = (await import(file)) as {
    verified: (headers: Record<string, string>, body: string, secret: string, nowSeconds: number) => boolean;
  };
  const secret = 'a secret of thirty-two characters';
  const [id, time, body] = ['hook_1_2', 1_767_225_600, '[{"type":"通办"}]'];
  const headers = {
    'webhook-id': id,
    'webhook-timestamp': String(time),
    'webhook-signature': webhookSignature(hmacKey(Buffer.from(secret)), id, time, body),
  };
  t.true(verified(headers, body, secret, time + 10));
  t.false(verified(headers, `${body} `, secret, time));
  t.false(verified(headers, body, `${secret}x`, time));
  t.false(verified(headers, body, secret, time + 301));
  t.false(verified({ ...headers, 'webhook-id': 'hook_1_3' }, body, secret, time));
  t.false(verified({ ...headers, 'webhook-timestamp': String(time + 1) }, body, secret, time));
  t.false(verified({}, body, secret, time));
});

test('the feeds and the fields in the guide are as the code has them', (t) => {
  for (const feed of JSON.parse(example('json'))) t.true(feedSchema.safeParse(feed).success, feed.name);
  const rows = GUIDE.split('\n').filter((line) => line.startsWith('| `'));
  for (const [column, format] of FORMAT_NAMES.entries()) {
    for (const [field, source] of Object.entries(FORMATS[format].fields.named)) {
      const told = rows.some(
        (row) => row.includes(`\`${source}\``) && row.split('|')[column + 2]?.includes(`\`${field}\``),
      );
      t.true(told || field === 'event.outcome' || (format === 'cef' && source === 'means'), `${format} ${field}`);
    }
  }
});
