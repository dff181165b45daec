import { type Browser, formsOf } from './browser.ts';
import type { Running } from './peers.ts';
import { authorizationPath } from './sign-in.ts';

/** The form that asks for name and password, and the work it asks for, if it does. */
export interface SignInPage {
  readonly action: string;
  readonly hidden: Readonly<Record<string, string>>;
  readonly puzzle: string | undefined;
}

const PUZZLE = /data-puzzle="([^"]+)"/;

/** The form of a page, without its empty field for a proof of work. Throws with the page when it has none. */
export function readSignInPage(text: string): SignInPage {
  const form = formsOf(text).find(({ action }) => action.endsWith('/identify'));
  if (form === undefined) throw new Error(`no sign-in form: ${text.slice(0, 200)}`);
  const { proof: _empty, ...hidden } = form.hidden;
  return {
    action: form.action,
    hidden,
    puzzle: PUZZLE.exec(text)?.[1]?.replaceAll('&quot;', '"').replaceAll('&#34;', '"').replaceAll('&amp;', '&'),
  };
}

/** The page an authorization request leads to: in answer to the request itself, or where that sends the browser. */
export async function pageAskedFor(
  server: Running,
  browser: Browser,
  parameters: Readonly<Record<string, string>>,
): Promise<string> {
  const asked = await browser.get(authorizationPath(server, parameters));
  const location = asked.header('location');
  if (location === undefined) return asked.text;
  return (await browser.get(browser.pathOf(location) ?? '/')).text;
}

/** What a browser that was never here is shown first. */
export const signInPage = async (server: Running, browser: Browser): Promise<SignInPage> =>
  readSignInPage(await pageAskedFor(server, browser, {}));
