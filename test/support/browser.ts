import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import axe, { type AxeResults } from 'axe-core';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const OUTPUT = new URL('../../test-output/', import.meta.url);
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export type Launched =
  | { readonly state: 'ready'; readonly browser: Browser }
  | { readonly state: 'absent'; readonly reason: string };

function onPath(name: string): string | undefined {
  try {
    return execFileSync('which', [name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim() || undefined;
  } catch {
    return undefined;
  }
}

/** Where Chromium is: CHROMIUM_PATH, then the usual place, then the PATH; undefined when there is none. */
export function chromiumPath(): string | undefined {
  const told = process.env.CHROMIUM_PATH;
  if (told !== undefined && told !== '') return existsSync(told) ? told : undefined;
  return existsSync('/usr/bin/chromium') ? '/usr/bin/chromium' : (onPath('chromium') ?? onPath('chromium-browser'));
}

/** Starts a real browser, or says why it cannot, so that a test may log the reason and pass. The caller closes it. */
export async function launchBrowser(): Promise<Launched> {
  const executablePath = chromiumPath();
  if (executablePath === undefined) return { state: 'absent', reason: 'no Chromium here; set CHROMIUM_PATH' };
  return { state: 'ready', browser: await chromium.launch({ executablePath, args: FLAGS, timeout: 30_000 }) };
}

/** What a page did that it should not: errors in its console, failed scripts, requests to hosts that are not this machine. */
export interface Watch {
  readonly problems: readonly string[];
}

/** A fresh browser profile, 1280 px wide and Chinese unless told otherwise, with an eye on everything its pages do. */
export async function openContext(
  browser: Browser,
  options: BrowserContextOptions = {},
): Promise<{ readonly context: BrowserContext; readonly watch: Watch }> {
  const context = await browser.newContext({ locale: 'zh-CN', viewport: { width: 1280, height: 900 }, ...options });
  const problems: string[] = [];
  context.on('console', (message) => {
    // An HTTP status is the business of the test that asked for it.
    const statusLine = message.text().startsWith('Failed to load resource: the server responded');
    if (message.type() === 'error' && !statusLine) problems.push(message.text());
  });
  context.on('weberror', (problem) => problems.push(problem.error().message));
  context.on('request', (request) => {
    const { protocol, hostname } = new URL(request.url());
    const local = hostname === 'localhost' || hostname.endsWith('.localhost') || /^127\./.test(hostname);
    if (protocol.startsWith('http') && !local) problems.push(`foreign request: ${hostname}`);
  });
  return { context, watch: { problems } };
}

/**
 * Evaluates expressions over the DevTools protocol, which stands above the page: no Content-Security-Policy has to be loosened
 * for it.
 */
async function evaluateAbove<Value>(page: Page, ...expressions: readonly string[]): Promise<Value> {
  const session = await page.context().newCDPSession(page);
  try {
    let value: unknown;
    for (const expression of expressions) {
      const answer = await session.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
      if (answer.exceptionDetails !== undefined) throw new Error(answer.exceptionDetails.exception?.description);
      value = answer.result.value;
    }
    return value as Value;
  } finally {
    await session.detach();
  }
}

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/**
 * What axe-core finds against WCAG 2.2 A and AA and its own good practice, one line a finding. The context must allow scripts:
 * axe waits on timers, and with `javaScriptEnabled: false` these never come.
 */
export async function axeViolations(page: Page): Promise<readonly string[]> {
  const options = { runOnly: RULES, resultTypes: ['violations'] };
  // Only what was found comes over: all that was looked at would be megabytes.
  const run = `axe.run(document, ${JSON.stringify(options)}).then(({ violations }) => violations)`;
  const isThere = await evaluateAbove<boolean>(page, 'typeof axe === "object"');
  const sources = isThere ? [] : [`${axe.source}; undefined`];
  const violations = await evaluateAbove<AxeResults['violations']>(page, ...sources, run);
  return violations.flatMap(({ id, help, nodes }) => nodes.map(({ html }) => `${id}: ${help}: ${html.slice(0, 160)}`));
}

/** True when the page can be scrolled sideways, which at 360 px or at 200 % zoom is a defect. */
export function overflowsSideways(page: Page): Promise<boolean> {
  return evaluateAbove(page, 'document.documentElement.scrollWidth > document.documentElement.clientWidth');
}

/** Keeps the whole page as test-output/<name>.png; returns the path. */
export async function screenshot(page: Page, name: string): Promise<string> {
  mkdirSync(OUTPUT, { recursive: true });
  const path = new URL(`${name.replaceAll(/[^\w-]/g, '-')}.png`, OUTPUT).pathname;
  await page.screenshot({ path, fullPage: true });
  return path;
}
