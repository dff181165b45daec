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

interface Wishes extends Preferences {
  /** Whether this very request chooses, and what of the language is to be remembered: nothing until somebody chose. */
  readonly chosenNow: boolean;
  readonly languageKept: Language | undefined;
}

/**
 * The preferences that hold for this request: a choice in the query (`lang=en`, `text=large` or `text=normal`) wins over the
 * remembered one. `uiLocales` is the portal's wish; without it the query's `ui_locales` counts. Changes nothing.
 */
export function preferencesOf(ctx: PreferencesContext, secure: boolean, uiLocales?: string): Preferences {
  const { language, largeText } = wishesOf(ctx, secure, uiLocales);
  return { language, largeText };
}

/** Keeps a choice made in the query in a cookie for a year: it is no more than a display setting, so a GET may set it. */
export function rememberChoice(ctx: PreferencesContext, secure: boolean): void {
  const { chosenNow, languageKept, largeText } = wishesOf(ctx, secure, undefined);
  if (!chosenNow) return;
  const value = `${languageKept ?? 'auto'}~${largeText ? 'large' : 'normal'}`;
  ctx.append('Set-Cookie', writeCookie(COOKIE, value, { secure, maxAgeSeconds: REMEMBERED_SECONDS }));
}

function wishesOf(ctx: PreferencesContext, secure: boolean, uiLocales: string | undefined): Wishes {
  const query = shortQuery(ctx);
  const languageNow = languageOfTag(query?.get('lang') ?? '');
  const text = query?.get('text');
  const [, language, size] =
    /^(zh-CN|en|auto)~(large|normal)$/.exec(readCookie(ctx.get('cookie'), hostCookieName(COOKIE, secure)) ?? '') ?? [];
  const languageKept =
    languageNow ?? (language === undefined || language === 'auto' ? undefined : languageOfTag(language));
  return {
    language: negotiateLanguage({
      chosen: languageKept,
      uiLocales: uiLocales ?? query?.get('ui_locales') ?? undefined,
      acceptLanguage: ctx.get('accept-language'),
    }),
    largeText: text === 'large' || (text !== 'normal' && size === 'large'),
    chosenNow: languageNow !== undefined || text === 'large' || text === 'normal',
    languageKept,
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
