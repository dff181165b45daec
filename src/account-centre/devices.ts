import { isIPv6 } from 'node:net';
import type { Language } from '../web/language.ts';

const SYSTEMS: readonly (readonly [RegExp, string])[] = [
  [/HarmonyOS|OpenHarmony/, 'HarmonyOS'],
  [/iPhone/, 'iPhone'],
  [/iPad/, 'iPad'],
  [/Android/, 'Android'],
  [/Windows/, 'Windows'],
  [/Mac OS X|Macintosh/, 'macOS'],
  [/CrOS/, 'ChromeOS'],
  [/Linux/, 'Linux'],
];

// Order matters: most browsers also name those they descend from.
const BROWSERS: readonly (readonly [RegExp, string, string])[] = [
  [/MicroMessenger/, '微信', 'WeChat'],
  [/AlipayClient/, '支付宝', 'Alipay'],
  [/Edg/, 'Edge', 'Edge'],
  [/Firefox/, 'Firefox', 'Firefox'],
  [/Chrome|CriOS/, 'Chrome', 'Chrome'],
  [/Safari/, 'Safari', 'Safari'],
];

/** A browser in words a person recognises, such as `Chrome · Windows`. Unknown ones stay unnamed: the header is not shown. */
export function describeDevice(userAgent: string, language: Language): string {
  const system = SYSTEMS.find(([pattern]) => pattern.test(userAgent))?.[1];
  const browser = BROWSERS.find(([pattern]) => pattern.test(userAgent));
  const name = browser?.[language === 'en' ? 2 : 1];
  const known = [name, system].filter((part) => part !== undefined);
  if (known.length > 0) return known.join(' · ');
  return language === 'en' ? 'Unknown device' : '未知设备';
}

const IPV6_GROUPS = 8;
/** The half of an IPv6 address that names the network; the other half changes by itself every day. */
const IPV6_GROUPS_SHOWN = 4;
const IPV4_IN_IPV6 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** An address short enough to compare: IPv4 as it is, of IPv6 the network, such as `2408:8207:1234:5678::`. */
export function describeAddress(address: string): string {
  const plain = address.replace(/%.*$/, '');
  const inside = IPV4_IN_IPV6.exec(plain)?.[1];
  if (inside !== undefined) return inside;
  if (!isIPv6(plain) || plain === '::1') return address;
  const [head = '', tail = ''] = plain.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === '' ? [] : tail.split(':');
  const gap = Array<string>(Math.max(0, IPV6_GROUPS - before.length - after.length)).fill('0');
  const network = [...before, ...gap, ...after].slice(0, IPV6_GROUPS_SHOWN);
  return `${network.join(':')}::`;
}
