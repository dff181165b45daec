import test, { type ExecutionContext } from 'ava';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import {
  axeViolations,
  chromiumPath,
  launchBrowser,
  openContext,
  overflowsSideways,
  screenshot,
  type Watch,
} from './browser.ts';
import type { Cleanup } from './product.ts';

/** A phone of the narrowest kind that is still in use. */
export const NARROW = { width: 360, height: 780 };

const absent = chromiumPath() === undefined;

/** A test in a real browser, one at a time. Without Chromium it is counted as skipped and says why in its title. */
export const seen = (title: string, body: (t: ExecutionContext) => Promise<void>): void => {
  if (absent) test.skip(`${title} (no Chromium here; set CHROMIUM_PATH)`, body);
  else test.serial(title, body);
};

/** One person's browser with one page open. */
export interface Visitor {
  readonly context: BrowserContext;
  readonly page: Page;
  readonly watch: Watch;
  /** Keeps a picture of the page and finds nothing to complain about: axe, and nothing that scrolls sideways. */
  look(name: string): Promise<void>;
}

/** What the tests of one file share: a browser, and whatever `open` starts beside it. All of it ends after the last of them. */
export function stage(open: (cleanup: Cleanup) => Promise<void>): {
  /** A fresh browser for one test; its pictures are kept under `prefix`. */
  visitor(t: ExecutionContext, prefix: string, options?: BrowserContextOptions): Promise<Visitor>;
} {
  let browser: Browser;
  const cleanups: (() => unknown)[] = [];
  test.before(async () => {
    if (absent) return;
    const cleanup = { teardown: (clean: () => unknown) => void cleanups.unshift(clean) };
    await open(cleanup);
    const launched = await launchBrowser();
    if (launched.state === 'absent') throw new Error(launched.reason);
    browser = launched.browser;
    cleanups.unshift(() => browser.close());
  });
  test.after.always(async () => {
    for (const clean of cleanups) await clean();
  });
  return {
    async visitor(t, prefix, options = {}) {
      const { context, watch } = await openContext(browser, options);
      t.teardown(() => context.close());
      const page = await context.newPage();
      const look = async (name: string): Promise<void> => {
        await page.waitForLoadState('load');
        // axe waits on timers, which never come where scripts are off.
        t.deepEqual(options.javaScriptEnabled === false ? [] : await axeViolations(page), [], `axe on ${name}`);
        t.false(await overflowsSideways(page), `${name} scrolls sideways`);
        await screenshot(page, `${prefix}-${name}`);
      };
      return { context, page, watch, look };
    },
  };
}

/**
 * Sends the main form of a page, from the keyboard: a click waits until the browser has drawn two pictures with the button in one place, and beside others on a
 * busy machine it was seen to draw none for half a minute.
 */
export const submit = (page: Page): Promise<void> => page.locator('main button.primary').press('Enter');

/** Fills fields by their names and sends the main form. */
export async function fill(page: Page, fields: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, value] of Object.entries(fields)) await page.locator(`main [name="${name}"]`).fill(value);
  await submit(page);
}

/** Types what one signs in with, wherever a page asks for it. */
export async function typeSignIn(page: Page, identifier: string, password: string): Promise<void> {
  await page.locator('input[name="identifier"]').fill(identifier);
  await page.locator('input[name="password"]').fill(password);
  await page.locator('#sign-in button.primary').click();
}

/** Says yes to what a portal wants to know. */
export const allow = (page: Page): Promise<void> => page.locator('button[name="decision"][value="allow"]').click();
