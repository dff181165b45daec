import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Eta, type TemplateFunction } from 'eta';
import type { Assets } from './assets.ts';
import { LANGUAGES, type Language, machineTime, showClock, showDay, showTime } from './language.ts';
import { en } from './messages/en.ts';
import { type Messages, zhCN } from './messages/zh-CN.ts';
import { PAGE_NAMES, type PageModels, type PageName } from './pages.ts';
import {
  addressWith,
  type Preferences,
  type PreferencesContext,
  preferencesOf,
  rememberChoice,
} from './preferences.ts';
import { htmlText } from './visible-text.ts';

export const CATALOGUES: Readonly<Record<Language, Messages>> = { 'zh-CN': zhCN, en };

/** The service and the province it serves, as every page names them. */
export interface Branding {
  readonly nameZh: string;
  readonly nameEn: string;
  readonly provinceZh: string;
  readonly provinceEn: string;
}

/** What answering with a page needs of a request: satisfied by a koa context. */
export interface PageContext extends PreferencesContext {
  /** What was asked for, which another page may answer. */
  readonly originalUrl?: string;
  set(field: string, value: string): void;
  status: number;
  body: unknown;
}

export interface PageOptions {
  /** 200 when left out. */
  readonly status?: number;
  /** What the portal asked for, when it is not in this request's own query. */
  readonly uiLocales?: string;
}

/** How one page is shown; `links` are the addresses of this page: its own, where it answers a request for another, and with one choice changed. */
export interface View extends Preferences {
  readonly links?: { readonly own?: string; readonly language: string; readonly text: string };
}

export interface Renderer {
  /** Answers with a page in the person's language, never stored by any cache, and remembers a choice made in the query. */
  page<Name extends PageName>(ctx: PageContext, name: Name, model: PageModels[Name], options?: PageOptions): void;
  /** The page as text, independent of any request. */
  html<Name extends PageName>(name: Name, model: PageModels[Name], view: View): string;
  /** Language and type size of this request, for callers that choose texts themselves. Changes nothing. */
  preferences(ctx: PreferencesContext, uiLocales?: string): Preferences;
}

export interface RendererOptions {
  readonly viewsDir: string;
  readonly assets: Assets;
  readonly branding: Branding;
  readonly hotline: string;
  readonly secure: boolean;
}

/**
 * Reads every template at the start, so that none is missing and no request waits for a file, and compiles each when it is first shown: all of them
 * together take longer than the rest of the pages' start. Templates see `page` (its name), `t` (the catalogue),
 * `model`, `view`, `shell` and `show` (dates); whatever they print passes `htmlText`.
 */
export function createRenderer(options: RendererOptions): Renderer {
  const eta = new Eta({ autoEscape: true, escapeFunction: htmlText, cache: true, rmWhitespace: true });
  for (const folder of ['layout', 'parts', 'pages']) {
    for (const file of readdirSync(join(options.viewsDir, folder)).filter((name) => name.endsWith('.eta'))) {
      const text = readFileSync(join(options.viewsDir, folder, file), 'utf8');
      eta.loadTemplate(`@${folder}/${file.slice(0, -4)}`, compiledWhenShown(eta, text));
    }
  }
  const pages = new Map(PAGE_NAMES.map((name) => [name, templateOf(eta, name)]));
  const shells = Object.fromEntries(LANGUAGES.map((language) => [language, shellOf(options, language)]));

  const html: Renderer['html'] = (name, model, view) => {
    const { shell, show } = shells[view.language]!;
    return eta.render(pages.get(name)!, { page: name, t: CATALOGUES[view.language], model, view, shell, show });
  };
  const preferences: Renderer['preferences'] = (ctx, uiLocales) => preferencesOf(ctx, options.secure, uiLocales);

  return {
    html,
    preferences,
    page(ctx, name, model, { status = 200, uiLocales } = {}) {
      const chosen = preferences(ctx, uiLocales);
      rememberChoice(ctx, options.secure);
      const links = {
        ...(ctx.originalUrl === undefined || pathOf(ctx.originalUrl) === ctx.path ? {} : { own: ctx.path }),
        language: addressWith(ctx, 'lang', chosen.language === 'en' ? 'zh-CN' : 'en'),
        text: addressWith(ctx, 'text', chosen.largeText ? 'normal' : 'large'),
      };
      const body = html(name, model, { ...chosen, links });
      ctx.status = status;
      ctx.set('Content-Type', 'text/html; charset=utf-8');
      ctx.set('Cache-Control', 'no-store');
      ctx.set('Content-Language', chosen.language);
      // As bytes: of a text Koa asks how long it is in UTF-8, and Node once more while it writes it.
      ctx.body = Buffer.from(body);
    },
  };
}

const pathOf = (address: string): string => address.split('?', 1)[0]!;

function compiledWhenShown(eta: Eta, text: string): TemplateFunction {
  let compiled: TemplateFunction | undefined;
  return function (this: ThisParameterType<TemplateFunction>, ...shown) {
    compiled ??= eta.compile(text);
    return compiled.apply(this, shown);
  };
}

function templateOf(eta: Eta, name: PageName) {
  const template = eta.templatesSync.get(`@pages/${name}`);
  if (template === undefined) throw new RangeError(`no template for the page ${name}`);
  return template;
}

/** What is the same on every page of one language. */
const shellOf = ({ assets, branding, hotline }: RendererOptions, language: Language) => ({
  shell: {
    stylesheet: assets.url('tongban.css'),
    script: assets.url('tongban.js'),
    addressScript: assets.url('address.js'),
    passkeyScript: assets.url('passkey.js'),
    scanScript: assets.url('scan.js'),
    proof: assets.url('proof.js'),
    proofWorker: assets.url('proof-worker.js'),
    icon: assets.url('mark.svg'),
    mark: assets.url('mark.svg'),
    name: language === 'en' ? branding.nameEn : branding.nameZh,
    province: language === 'en' ? branding.provinceEn : branding.provinceZh,
    hotline,
  },
  show: {
    time: (at: number) => showTime(at, language),
    day: (at: number) => showDay(at, language),
    clock: showClock,
    machineTime,
  },
});
