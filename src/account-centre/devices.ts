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
