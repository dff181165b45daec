import { type About, defineRule, numberOf, textOf, type WatchEvent, wordsOf } from './rule.ts';

const OPERATOR = 'operator:';
const HOUSE: About = { key: 'house' };
const CLOCK_STEPS_COOLDOWN_SECONDS = 3600;

/** Operators are named in the ledger, so they may stand in the key. */
const operatorOf = ({ entry: { actor } }: WatchEvent): string | undefined =>
  actor.startsWith(OPERATOR) ? actor : undefined;

export const massRevealByPortal = defineRule({
  setting: 'massRevealByPortal',
  title: { zh: '门户获取大量人员的个人信息', en: 'A portal was given the personal data of very many people' },
  advice: {
    zh: '向门户核实业务背景；无法说明时停用该门户，并按受影响人数重新定级。',
    en: 'Ask the portal what it is for. If it cannot say, switch the portal off, and grade the incident again by the number of people.',
  },
  countsPeople: true,
  looksAt: ['personal-data.released'],
  examine: ({ entry: { client, subject } }) =>
    client === null || subject === null ? [] : [{ do: 'count', about: { key: client, client }, distinct: subject }],
});

export const massRevealByOperator = defineRule({
  setting: 'massRevealByOperator',
  title: { zh: '管理人员大量查看个人信息', en: 'An operator looked at the personal data of many people' },
  advice: {
    zh: '由安全审计员核对工单与查看理由；无法对应时收回权限并保全证据。',
    en: 'The auditor compares with orders and stated reasons. What has none: take the rights away and keep the evidence.',
  },
  countsPeople: true,
  looksAt: ['personal-data.revealed', 'audit.search', 'audit.export'],
  examine(event) {
    const key = operatorOf(event);
    if (key === undefined) return [];
    return recordsOpened(event) === 0 ? [] : [{ do: 'count', about: { key }, weight: recordsOpened(event) }];
  },
});

/** How many records an act showed in the clear: none for searches and exports that left the commitments closed. */
function recordsOpened({ entry }: WatchEvent): number {
  if (entry.type === 'personal-data.revealed') return 1;
  if (entry.type === 'audit.search') {
    return wordsOf(entry, 'filters').includes('opened') ? (numberOf(entry, 'matches') ?? 0) : 0;
  }
  if (entry.data.opened !== true) return 0;
  // Chosen entries lie far apart: only where an older version did not say how many there were, the span has to do.
  return numberOf(entry, 'count') ?? Math.max(1, (numberOf(entry, 'to') ?? 0) - (numberOf(entry, 'from') ?? 0));
}

export const administratorUnusual = defineRule({
  setting: 'administratorUnusual',
  title: { zh: '非工作时间或非办公网络的管理操作', en: 'Administration at an unusual time or from an unusual place' },
  advice: {
    zh: '与该管理人员及值班安排核对；无法说明时停用其权限，并逐条复核其操作。',
    en: 'Compare with the operator and the duty roster. If nobody can explain it: suspend the rights, and review each act.',
  },
  severity: 'warning',
  // Work on incidents is not looked at: whoever is called at night to handle one must not cause the next.
  looksAt: [
    'person.',
    'password.',
    'relying-party.',
    'key.',
    'audit.search',
    'audit.export',
    'audit.prune-proposed',
    'audit.prune',
    'personal-data.revealed',
    'configuration.changed',
  ],
  needs: ['address'],
  examine(event, { isOfficeTime, isOfficeNetwork }) {
    const key = operatorOf(event);
    if (key === undefined) return [];
    const outside = event.address !== undefined && !isOfficeNetwork(event.address);
    return outside || !isOfficeTime(event.atMs) ? [{ do: 'count', about: { key } }] : [];
  },
});

export const clockDrift = defineRule({
  setting: 'clockDrift',
  title: { zh: '系统时钟跳变', en: 'The clock jumped' },
  advice: {
    zh: '检查时间同步服务；跳变期间的令牌有效期与日志时间不可靠，应在事件中记录跳变区间。',
    en: 'Check the time service. Around the jump the life of tokens and the times in the ledger are not exact: note from when to when.',
  },
  severity: 'warning',
  cooldownSeconds: CLOCK_STEPS_COOLDOWN_SECONDS,
  thresholdCounts: false,
  looksAt: ['clock.step'],
  examine: ({ entry }, { settings }) =>
    Math.abs(numberOf(entry, 'stepMs') ?? 0) >= settings.clockDrift.threshold
      ? [{ do: 'count', about: { key: entry.node } }]
      : [],
});

export const feedDown = defineRule({
  setting: 'feedDown',
  title: { zh: '日志外送通道中断', en: 'A feed is down' },
  advice: {
    zh: '检查接收端与网络；事件仍在本地保存，恢复后会按序补送，请确认接收端编号连续。',
    en: 'Check the receiver and the way to it. The events wait here and follow in order; see to it that the numbers at the receiver have no gap.',
  },
  severity: 'warning',
  looksAt: ['feed.failed', 'feed.recovered'],
  examine({ entry }) {
    const feed = textOf(entry, 'feed');
    if (feed === undefined) return [];
    return entry.type === 'feed.failed' ? [{ do: 'expect', about: { key: feed } }] : [{ do: 'settle', key: feed }];
  },
});

export const ledgerMismatch = defineRule({
  setting: 'ledgerMismatch',
  title: { zh: '审计记录缺失或被改动', en: 'The ledger has gaps or was altered' },
  advice: {
    zh: '立即停止对数据库的维护操作并保全现场；与见证方保存的检查点比对，确定缺失或改动的范围。',
    en: 'Stop all work on the database and keep everything as it is. Compare with the checkpoints the witness holds to find what is missing or altered.',
  },
  level: 'III',
  looksAt: ['audit.gap', 'audit.verified'],
  examine: ({ entry }) =>
    entry.type === 'audit.gap' || textOf(entry, 'verdict') !== 'good' ? [{ do: 'count', about: HOUSE }] : [],
});

export const sealedDataAltered = defineRule({
  setting: 'sealedDataAltered',
  title: { zh: '加密存储的数据被改动或挪动', en: 'Sealed data was altered or moved' },
  advice: {
    zh: '立即停止对数据库的维护操作并保全现场；按记录中的表、列、行与备份比对，查清是谁写入了数据库。',
    en: 'Stop all work on the database and keep everything as it is. Compare the table, column and row of the events with a backup, and find out who wrote to the database.',
  },
  level: 'III',
  looksAt: ['sealed-data.altered'],
  examine: () => [{ do: 'count', about: HOUSE }],
});

export const rowAltered = defineRule({
  setting: 'rowAltered',
  title: { zh: '权限数据被改动', en: 'Rows that decide who may do what were altered' },
  advice: {
    zh: '立即停止对数据库的维护操作并保全现场；按记录中的表和行与备份、审计记录比对，查清是谁写入了数据库。核实之前，该记录不会被使用。',
    en: 'Stop all work on the database and keep everything as it is. Compare the table and row of the events with a backup and the ledger, and find out who wrote to the database. Nothing is done with the row until then.',
  },
  level: 'III',
  looksAt: ['row.altered', 'row.sealed'],
  // Rows that were there already are sealed as they stand when a house comes to a version that seals them, and never again: a second time
  // means that somebody took the seals away. What an operator sealed has a reason beside it.
  examine: ({ entry: { type, data } }) =>
    type === 'row.altered' || (data.origin === 'first start' && Number(data.rows) > 0)
      ? [{ do: 'count', about: HOUSE }]
      : [],
});
