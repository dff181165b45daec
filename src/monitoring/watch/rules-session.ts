import { distanceKm } from '../../defence/regions.ts';
import { defineRule, textOf, wordsOf } from './rule.ts';

const DAY_SECONDS = 86_400;
/** A session seldom lives longer; after that its device is no longer new. */
const SESSION_SECONDS = 43_200;
const SENSITIVE_SCOPES: ReadonlySet<string> = new Set(['id_number', 'phone', 'address', 'email']);
/** Tables of networks are this inexact: carriers move addresses between neighbouring cities. */
const DISTANCE_KM_MIN = 200;
const HOUR_MS = 3_600_000;

export const refreshReuse = defineRule({
  setting: 'refreshReuse',
  title: { zh: '已失效的刷新令牌被再次使用', en: 'A spent refresh token was used again' },
  advice: {
    zh: '令牌族已被吊销。检查该门户如何保存令牌；同一门户频繁出现多为门户缺陷，零星出现则按令牌被盗处理。',
    en: 'The family of tokens is revoked already. Ask the portal how it keeps tokens: many at one portal are a flaw of the portal, a single one is a theft until shown otherwise.',
  },
  looksAt: ['refresh.reused'],
  examine({ entry: { subject, client } }) {
    if (subject !== null)
      return [{ do: 'count', about: { key: subject, person: subject, client: client ?? undefined } }];
    return client === null ? [] : [{ do: 'count', about: { key: `portal ${client}`, client } }];
  },
});

export const codeReplay = defineRule({
  setting: 'codeReplay',
  title: { zh: '授权码被重复提交', en: 'An authorization code was presented twice' },
  advice: {
    zh: '由该码签发的令牌已被吊销。检查门户的回调地址是否泄露授权码（日志、跳转来源），以及是否重复提交。',
    en: 'The tokens of that code are revoked already. Check whether the portal leaks codes from its callback address (logs, referrers) or posts them twice.',
  },
  severity: 'warning',
  looksAt: ['code.replayed'],
  examine: ({ entry: { client } }) => (client === null ? [] : [{ do: 'count', about: { key: client, client } }]),
});

export const newDeviceSensitiveScope = defineRule({
  setting: 'newDeviceSensitiveScope',
  title: { zh: '新设备登录后访问敏感个人信息', en: 'A new device goes on to sensitive personal data' },
  advice: {
    zh: '已通知本人。本人否认时：结束其会话、锁定账户，并通知收到信息的门户。',
    en: 'The person is told. If they deny it: end the sessions, lock the account, and tell the portal that received the data.',
  },
  severity: 'notice',
  cooldownSeconds: DAY_SECONDS,
  looksAt: ['sign-in.succeeded', 'portal.entered'],
  onlyWith: { 'portal.entered': [...SENSITIVE_SCOPES] },
  examine({ entry }) {
    const { subject, client, type } = entry;
    if (subject === null) return [];
    const session = textOf(entry, 'session');
    const byPerson = `person ${subject}`;
    const bySession = session === undefined ? [] : [`session ${session}`];
    if (type === 'sign-in.succeeded') {
      if (textOf(entry, 'device') !== 'new') return [];
      const marks = bySession.map((name) => ({ do: 'mark', name, seconds: SESSION_SECONDS }) as const);
      return [{ do: 'mark', name: byPerson }, ...marks];
    }
    if (!wordsOf(entry, 'scopes').some((scope) => SENSITIVE_SCOPES.has(scope))) return [];
    return [
      {
        do: 'count',
        about: { key: subject, person: subject, client: client ?? undefined },
        after: [byPerson, ...bySession],
      },
    ];
  },
});

export const impossibleTravel = defineRule({
  setting: 'impossibleTravel',
  title: { zh: '两次登录之间的距离不可能到达', en: 'Two sign-ins further apart than anybody travels' },
  advice: {
    zh: '先排除代理与手机网络出口；与本人核实，非本人操作时结束会话并锁定账户。',
    en: 'Rule out proxies and the exits of mobile networks first. Ask the person; if one of the sign-ins was not theirs, end the sessions and lock the account.',
  },
  severity: 'warning',
  cooldownSeconds: DAY_SECONDS,
  looksAt: ['sign-in.succeeded'],
  needs: ['address', 'earlier-sign-in'],
  thresholdCounts: false,
  examine({ entry: { subject }, atMs }, { place, earlier, settings }) {
    if (subject === null || place === undefined || earlier === undefined) return [];
    const km = distanceKm(earlier.place, place);
    // Two nodes may write sign-ins of one second in either order.
    const hours = Math.max(1000, Math.abs(atMs - earlier.atMs)) / HOUR_MS;
    if (km < DISTANCE_KM_MIN || km / hours <= settings.impossibleTravel.threshold) return [];
    return [{ do: 'count', about: { key: subject, person: subject }, evidence: [earlier.seq] }];
  },
});

export const mandateBulkUse = defineRule({
  setting: 'mandateBulkUse',
  title: { zh: '新授权随即被大量使用', en: 'New mandates are used in bulk' },
  advice: {
    zh: '与被代表的单位或个人核实授权是否出于其本意，并查明由谁授予；无法确认时暂停授权，并通知经办人进入过的门户。',
    en: 'Ask the company or person represented whether they meant to grant this, and find out who granted it. If nobody confirms: suspend the mandates, and tell the portals the agent entered.',
  },
  severity: 'warning',
  looksAt: ['mandate.accepted', 'portal.entered'],
  onlyWith: { 'portal.entered': ['"mandate":'] },
  // By agent and not by mandate: one that is used very often and very many that are used once are the same attack.
  examine({ entry }) {
    const mandate = textOf(entry, 'mandate');
    if (mandate === undefined) return [];
    const name = `mandate ${mandate}`;
    if (entry.type === 'mandate.accepted') return [{ do: 'mark', name, seconds: DAY_SECONDS }];
    const { subject, client } = entry;
    if (subject === null) return [];
    return [{ do: 'count', about: { key: subject, person: subject, client: client ?? undefined }, after: [name] }];
  },
});
