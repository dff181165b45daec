export const LANGUAGES = ['zh-CN', 'en'] as const;
export type Language = (typeof LANGUAGES)[number];
export const DEFAULT_LANGUAGE: Language = 'zh-CN';

const HEADER_LENGTH_MAX = 512;
const RANGES_MAX = 16;

/** The language of ours that serves a tag (BCP 47), by its primary subtag: `zh`, `zh-Hans-CN`, `zh-TW` are all Chinese. */
export function languageOfTag(tag: string): Language | undefined {
  const primary = tag.slice(0, 3).toLowerCase();
  if (primary === 'zh' || primary === 'zh-') return 'zh-CN';
  if (primary === 'en' || primary === 'en-') return 'en';
  return undefined;
}

export interface LanguageWishes {
  /** What the person chose on a page of ours, from query or cookie. */
  readonly chosen?: string | undefined;
  /** What the portal asked for: space-separated tags, best first (OpenID Connect Core 3.1.2.1). */
  readonly uiLocales?: string | undefined;
  readonly acceptLanguage?: string | undefined;
}

/**
 * Which language a page is shown in. The person's own choice wins over the portal's, and that over the browser's.
 * Pure, and nothing is remembered between calls, so invented tags cannot fill any memory (V18); only the first 512 characters
 * and 16 entries of a list are read.
 */
export function negotiateLanguage({ chosen, uiLocales, acceptLanguage }: LanguageWishes): Language {
  return (
    (chosen === undefined ? undefined : languageOfTag(chosen)) ??
    (uiLocales === undefined ? undefined : firstOf(uiLocales)) ??
    (acceptLanguage === undefined ? undefined : bestOf(acceptLanguage)) ??
    DEFAULT_LANGUAGE
  );
}

function firstOf(uiLocales: string): Language | undefined {
  for (const tag of uiLocales.slice(0, HEADER_LENGTH_MAX).split(' ', RANGES_MAX)) {
    const language = languageOfTag(tag);
    if (language !== undefined) return language;
  }
  return undefined;
}

/** Weights as in RFC 9110 section 12.5.4; among equals the first wins, and weight 0 means "not this one". */
function bestOf(acceptLanguage: string): Language | undefined {
  let best: Language | undefined;
  let bestWeight = 0;
  for (const range of acceptLanguage.slice(0, HEADER_LENGTH_MAX).split(',', RANGES_MAX)) {
    const [tag = '', ...parameters] = range.split(';', 4);
    const quality = parameters.find((parameter) => parameter.trim().startsWith('q='));
    const weight = quality === undefined ? 1 : Number(quality.trim().slice(2));
    const language = languageOfTag(tag.trim());
    if (language !== undefined && weight > bestWeight && weight <= 1) {
      best = language;
      bestWeight = weight;
    }
  }
  return best;
}

const SHANGHAI_OFFSET_SECONDS = 8 * 3600;
const DAY_SECONDS = 86_400;
const EN_MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;

const inShanghai = (epochSeconds: number): Date => new Date((epochSeconds + SHANGHAI_OFFSET_SECONDS) * 1000);

/**
 * A moment for people, in the time of Asia/Shanghai, to the minute. `epochSeconds` as everywhere in the house. China has had no
 * summer time since 1991, so a fixed offset is exact for every moment this product shows, at a hundredth of the cost of Intl.
 */
export function showTime(epochSeconds: number, language: Language): string {
  const separator = language === 'en' ? ', ' : ' ';
  return `${showDay(epochSeconds, language)}${separator}${showClock(epochSeconds)}`;
}

/** The day of a moment in Asia/Shanghai, for people. */
export function showDay(epochSeconds: number, language: Language): string {
  const local = inShanghai(epochSeconds);
  const day = local.getUTCDate();
  const year = local.getUTCFullYear();
  if (language === 'en') return `${day} ${EN_MONTHS[local.getUTCMonth()]} ${year}`;
  return `${year}年${local.getUTCMonth() + 1}月${day}日`;
}

/** Hour and minute of a moment in Asia/Shanghai. */
export function showClock(epochSeconds: number): string {
  const local = inShanghai(epochSeconds);
  return `${String(local.getUTCHours()).padStart(2, '0')}:${String(local.getUTCMinutes()).padStart(2, '0')}`;
}

/** Counts the days of Asia/Shanghai: two moments have the same number when they fall on the same day. */
export const dayNumber = (epochSeconds: number): number =>
  Math.floor((epochSeconds + SHANGHAI_OFFSET_SECONDS) / DAY_SECONDS);

/** The same moment for machines: RFC 3339 with the offset of Asia/Shanghai. */
export const machineTime = (epochSeconds: number): string =>
  inShanghai(epochSeconds)
    .toISOString()
    .replace(/\.\d+Z$/, '+08:00');
