import { hostCookieName, readCookie, writeCookie } from './cookies.ts';
import { type Language, languageOfTag, negotiateLanguage } from './language.ts';

const COOKIE = 'display';
const REMEMBERED_SECONDS = 365 * 86_400;
const QUERY_LENGTH_MAX = 4096;

/** How a person wants pages shown. `largeText` is elder mode: larger type and targets, no decoration. */
export interface Preferences {
  readonly language: Language;
  readonly largeText: boolean;
}

/** What reading preferences needs of a request: satisfied by a koa context. */
export interface PreferencesContext {
  readonly method: string;
  readonly path: string;
  readonly querystring: string;
  get(field: string): string;
  append(field: string, value: string): void;
}

/**
 * The preferences that hold for this request. A choice in the query (`lang=en`, `text=large` or `text=normal`) wins and is remembered in
 * a cookie for a year: it is no more than a display setting, so a GET may set it. `uiLocales` is the portal's wish; without it the
 * query's `ui_locales` counts.
 */
export function preferencesOf(ctx: PreferencesContext, secure: boolean, uiLocales?: string): Preferences {
  const query = shortQuery(ctx);
  const chosenNow = languageOfTag(query?.get('lang') ?? '');
  const text = query?.get('text');
  const [, language, size] =
    /^(zh-CN|en|auto)~(large|normal)$/.exec(readCookie(ctx.get('cookie'), hostCookieName(COOKIE, secure)) ?? '') ?? [];
  const remembered = language === 'auto' ? undefined : language;
  const largeText = text === 'large' || (text !== 'normal' && size === 'large');
  if (chosenNow !== undefined || text === 'large' || text === 'normal') {
    const value = `${chosenNow ?? remembered ?? 'auto'}~${largeText ? 'large' : 'normal'}`;
    ctx.append('Set-Cookie', writeCookie(COOKIE, value, { secure, maxAgeSeconds: REMEMBERED_SECONDS }));
  }
  return {
    language: negotiateLanguage({
      chosen: chosenNow ?? remembered,
      uiLocales: uiLocales ?? query?.get('ui_locales') ?? undefined,
      acceptLanguage: ctx.get('accept-language'),
    }),
    largeText,
  };
}

/**
 * This page's own address with one display choice changed. The answer to a POST links to the page's GET address, and a query too
 * long to carry along is left out.
 */
export function addressWith(ctx: PreferencesContext, choice: 'lang' | 'text', value: string): string {
  const query = (ctx.method === 'GET' || ctx.method === 'HEAD' ? shortQuery(ctx) : undefined) ?? new URLSearchParams();
  query.delete('lang');
  query.delete('text');
  query.set(choice, value);
  // One leading slash alone: `//host` would be another site.
  return `/${ctx.path.replace(/^[/\\]+/, '')}?${query}`;
}

function shortQuery({ querystring }: PreferencesContext): URLSearchParams | undefined {
  if (querystring === '' || querystring.length > QUERY_LENGTH_MAX) return undefined;
  return new URLSearchParams(querystring);
}
