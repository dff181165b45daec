import { networkOf } from '../../defence/networks.ts';
import { type About, defineRule, type Tally, textOf, type WatchEvent, weightOf } from './rule.ts';

const personAbout = (person: string): About => ({ key: person, person });

const networkAbout = ({ address }: WatchEvent): About | undefined => {
  const network = address === undefined ? undefined : networkOf(address);
  return network === undefined ? undefined : { key: network, network };
};

export const bruteForce = defineRule({
  setting: 'bruteForce',
  title: { zh: '对单个账户的密码猜测', en: 'Guessing at one account' },
  advice: {
    zh: '与本人核实；如非本人操作，请其更换密码，必要时锁定账户并处置来源网络。',
    en: 'Ask the person. If it was not they: have the password changed, lock the account if it goes on, and deal with the network it comes from.',
  },
  severity: 'warning',
  looksAt: ['sign-in.refused'],
  examine: ({ entry }) =>
    // An unknown number has no account that could be guessed at; the spray rule counts those.
    entry.subject === null ? [] : [{ do: 'count', about: personAbout(entry.subject), weight: weightOf(entry) }],
});

export const passwordSpray = defineRule({
  setting: 'passwordSpray',
  title: { zh: '同一网络尝试大量账户', en: 'One network tries many accounts' },
  advice: {
    zh: '判断该网络是否为办事大厅或运营商出口；若不是，则要求该网络完成质询或在边界封堵，并检查其中成功的登录。',
    en: 'Find out whether the network is a service hall or the exit of a carrier. If not: challenge it or block it at the border, and look at the sign-ins from it that succeeded.',
  },
  looksAt: ['sign-in.refused'],
  needs: ['address'],
  examine(event) {
    const about = networkAbout(event);
    if (about === undefined) return [];
    // Nobody can say whether two unknown numbers are the same one, so each counts for itself.
    return [{ do: 'count', about, distinct: event.entry.subject ?? `unknown ${event.seq}` }];
  },
});

const HOUSE: About = { key: 'house' };

export const stuffingRatio = defineRule({
  setting: 'stuffingRatio',
  title: { zh: '全平台登录失败比例异常', en: 'An unusual share of sign-ins is refused' },
  advice: {
    zh: '查看失败来源与原因的分布：撞库多来自分散的网络；也可能是门户或人口库故障。确认为撞库时启用质询并通知已被登录的人员。',
    en: 'Look where the refusals come from and why. Stuffing comes from scattered networks, but a broken portal or register looks alike. If it is stuffing: challenge, and tell the people whose sign-ins succeeded.',
  },
  looksAt: ['sign-in.refused', 'sign-in.succeeded'],
  lanes: ['refused', 'succeeded'],
  isReached: ({ refused = 0, succeeded = 0 }, { stuffingRatio: { threshold, ratioPercent } }) =>
    refused >= threshold && refused * 100 > ratioPercent * (refused + succeeded),
  examine: ({ entry }) => [
    {
      do: 'count',
      about: HOUSE,
      weight: weightOf(entry),
      lane: entry.type === 'sign-in.refused' ? 'refused' : 'succeeded',
    },
  ],
});

/** Reasons for which an account is shut, whoever comes. */
const SHUT: ReadonlySet<string | undefined> = new Set(['disabled', 'frozen']);

export const disabledAccountUse = defineRule({
  setting: 'disabledAccountUse',
  title: { zh: '已停用账户被使用', en: 'A disabled account is used' },
  advice: {
    zh: '核实停用原因；账户属于已故或离岗人员时，其凭据很可能被他人持有。',
    en: 'See why the account was disabled. If its owner has died or left, somebody else probably holds the credentials.',
  },
  severity: 'warning',
  looksAt: ['sign-in.refused'],
  examine: ({ entry }) =>
    entry.subject !== null && SHUT.has(textOf(entry, 'reason'))
      ? [{ do: 'count', about: personAbout(entry.subject), weight: weightOf(entry) }]
      : [],
});

export const recoveryEnumeration = defineRule({
  setting: 'recoveryEnumeration',
  title: { zh: '同一网络探测注册或找回', en: 'One network tries out registration or recovery' },
  advice: {
    zh: '有人可能在探测哪些号码已注册；要求该网络完成质询，并确认页面对已注册与未注册的回答一致。',
    en: 'Somebody may be finding out which numbers have accounts. Challenge the network, and make sure that the answers for known and unknown numbers are the same.',
  },
  severity: 'warning',
  looksAt: ['registration.refused', 'recovery.'],
  needs: ['address'],
  examine(event): readonly Tally[] {
    const about = networkAbout(event);
    if (about === undefined || event.entry.outcome !== 'failure') return [];
    return [{ do: 'count', about, weight: weightOf(event.entry) }];
  },
});
