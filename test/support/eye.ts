import type { Page } from 'playwright-core';
import type { Language } from '../../src/web/language.ts';
import type { PageName } from '../../src/web/pages.ts';
import { axeViolations, overflowsSideways, screenshot } from './browser.ts';

const WIDTHS = [360, 1280] as const;
const HEIGHT = 800;
const FOCUS_MS = 5_000;
/** Pictures cost as much as everything else; they are taken for people to look at. */
const PICTURES = process.env.TEST_PICTURES === '1';

/** What a page is read by: everything that is said on it but what people and portals are called. */
interface Read {
  readonly name: string;
  readonly language: string;
  readonly title: string;
  readonly words: string;
  readonly wrong: number;
  readonly alerts: number;
  /** Whether the focus is where the mistake is told. */
  readonly focused: boolean;
  /** Fields whose description names nothing on the page. */
  readonly undescribed: readonly string[];
  /** Fields that do not hold what was sent, or hold a password. */
  readonly lost: readonly string[];
}

const READ = `(() => {
  const body = document.body.cloneNode(true);
  for (const inert of body.querySelectorAll('bdi, [lang], script, code, time, textarea, .number, .paper-codes, .case-number')) inert.remove();
  const labels = [...body.querySelectorAll('[aria-label]')].map((element) => element.getAttribute('aria-label'));
  const described = [...document.querySelectorAll('[aria-describedby]')];
  const at = document.activeElement;
  const sent = JSON.parse(sessionStorage.getItem('sent') ?? '{}');
  const kept = ({ type, value, checked, classList }, told) => {
    if (type === 'password' || type === 'file' || classList.contains('sent-code') || classList.contains('paper-code') || classList.contains('signed')) return value === '';
    if (type === 'checkbox' || type === 'radio') return checked === (told === value);
    return type === 'hidden' || value.trim() === told.trim();
  };
  return {
    name: document.querySelector('main').dataset.page,
    language: document.documentElement.lang,
    title: document.title,
    words: [document.title, body.textContent, ...labels].join(' '),
    wrong: document.querySelectorAll('.field.wrong:is(fieldset, :has([aria-invalid="true"][aria-describedby$="-problem"]))').length,
    alerts: document.querySelectorAll('[role="alert"]').length,
    focused: at.matches('[aria-invalid="true"], [role="alert"], .wrong input'),
    undescribed: described
      .filter((element) => element.getAttribute('aria-describedby').trim().split(/\\s+/).some((id) => !document.getElementById(id)))
      .map((element) => element.id),
    lost: [...document.querySelectorAll('main :is(input, select, textarea)[name]')]
      .filter(({ name }) => name in sent && !['form_token', 'agree'].includes(name))
      .filter((field) => !kept(field, sent[field.name]))
      .map(({ name }) => name),
  };
})()`;

/** Remembers what each form sends, to see what of it the answer keeps. */
const REMEMBER = `addEventListener('submit', ({ target }) => {
  const texts = [...new FormData(target)].filter(([, value]) => typeof value === 'string');
  sessionStorage.setItem('sent', JSON.stringify(Object.fromEntries(texts)));
})`;

const LARGE = (large: boolean): string => `document.documentElement.dataset.text = '${large ? 'large' : 'normal'}'`;

/** Words of the other language that a page may say: what these things are called in both. */
const LATIN = /\b(?:CAN:AB\d+|CSV|PDF|PNG|JPEG|UTF|MB|SM3|JSON|JavaScript|Chrome|Linux|UKey)\b/g;

const LEAVE = `${LARGE(false)}; document.documentElement.dataset.lookedAt = 'yes'`;

export interface EyeOptions {
  readonly page: Page;
  readonly language: Language;
  /** The width at which pages are looked at in normal type; each is measured at both. */
  readonly width: 360 | 1280;
  /** What people, companies and portals are called, in any language. */
  readonly names: readonly string[];
}

/** Looks at pages as a careful reader: in normal and in large type, on a phone and on a desktop. */
export interface Eye {
  /** The pages that have been seen, and all that was wrong with them. */
  readonly seen: ReadonlySet<string>;
  readonly complaints: readonly string[];
  /** Expects to be on this page. `what` tells its states apart. */
  at(name: PageName, what?: string): Promise<void>;
  /** The same for a page that tells a mistake: at a field or in a box, with the focus there. */
  wrong(name: PageName, what: string): Promise<void>;
}

export async function createEye({ page, language, width, names }: EyeOptions): Promise<Eye> {
  await page.addInitScript(REMEMBER);
  const seen = new Set<string>();
  const complaints: string[] = [];
  const longestFirst = names.toSorted((a, b) => b.length - a.length);

  const foreignWords = (words: string): string => {
    const ours = longestFirst.reduce((text, name) => text.replaceAll(name, ' '), words);
    const found = language === 'en' ? /[\p{Script=Han}，。、：；]+/gu : /[A-Za-z]{2,}/g;
    return [...(language === 'en' ? ours : ours.replace(LATIN, ' ')).matchAll(found)].map(String).join(' ');
  };

  const arrive = async (name: PageName, where: string, isWrong: boolean): Promise<Read> => {
    // What was looked at bears a mark, so that an answer is never taken for the page before it.
    await page
      .locator(`html:not([data-looked-at]) main[data-page="${name}"]`)
      .waitFor()
      .catch(() => {
        throw new Error(`not at ${where} but at ${page.url()}`);
      });
    await page.waitForLoadState('load');
    const readBy = Date.now() + FOCUS_MS;
    for (;;) {
      const read = await page.evaluate<Read>(READ);
      // The browser gives the focus with the first picture of a page, which may come after it is loaded.
      if (read.focused || !isWrong || Date.now() > readBy) return read;
      await page.waitForTimeout(50);
    }
  };
  const expect = (holds: boolean, complaint: string): void => {
    if (!holds) complaints.push(complaint);
  };

  const lookAt = async (name: PageName, where: string, picture: string): Promise<void> => {
    for (const large of [false, true]) {
      await page.evaluate(LARGE(large));
      for (const wide of WIDTHS) {
        await page.setViewportSize({ width: wide, height: HEIGHT });
        const how = `${where}, ${wide} px${large ? ', large' : ''}`;
        expect(!(await overflowsSideways(page)), `${how}: scrolls sideways`);
        if (wide !== (large ? WIDTHS[0] : width)) continue;
        // Each state once, in Chinese; in English and in large type the same page has other words and sizes, so each page once.
        if (!seen.has(name) || (language !== 'en' && !large)) {
          for (const violation of await axeViolations(page)) complaints.push(`${how}: ${violation}`);
        }
        if (PICTURES) await screenshot(page, `page-${language}-${large ? 'large' : 'normal'}-${picture}`);
      }
    }
    await page.evaluate(LEAVE);
    seen.add(name);
  };

  const at = async (name: PageName, what: string, isWrong: boolean): Promise<void> => {
    const where = what === '' ? name : `${name} (${what})`;
    const read = await arrive(name, where, isWrong);
    expect(read.language === language, `${where}: in ${read.language}`);
    const foreign = foreignWords(read.words);
    expect(foreign === '', `${where}: not translated: ${foreign}`);
    expect(!/undefined|null|NaN|\[object/.test(read.words), `${where}: ${read.words}`);
    expect(read.undescribed.length === 0, `${where}: describes by what is not there: ${read.undescribed}`);
    expect(
      read.title.startsWith(language === 'en' ? 'Error: ' : '错误：') === (isWrong || name === 'fault'),
      `${where}: ${read.title}`,
    );
    if (isWrong) {
      expect(read.wrong + read.alerts === 1, `${where}: tells ${read.wrong} + ${read.alerts} mistakes`);
      expect(read.lost.length === 0, `${where}: does not keep ${read.lost}`);
      expect(read.focused, `${where}: the focus is elsewhere`);
    }
    await lookAt(name, where, what === '' ? name : `${name}-${what}`);
  };

  return {
    seen,
    complaints,
    at: (name, what = '') => at(name, what, false),
    wrong: (name, what) => at(name, what, true),
  };
}
