import { parseArgs } from 'node:util';
import { monotonicMs } from '../src/shared/clock.ts';
import { Browser } from './browser.ts';
import { inventedPerson } from './peers.ts';
import { endServersOnSignal } from './server-process.ts';
import { authorizationPath, authorize, PKCE_VERIFIER } from './sign-in.ts';
import { type Node, startTwoNodes } from './two-nodes.ts';

/*
 * `npm run drill:once -- [--n 10000] [--redis redis://127.0.0.1:6379]`: half as many codes and half as many refresh tokens as said, each redeemed
 * twenty times at once over two nodes on PostgreSQL and Redis. A code must buy tokens once (R1), a refresh token must have one successor, however
 * often it is asked for (A8). Says the figures, and ends with 1 when anything was redeemed otherwise.
 */

const { values } = parseArgs({
  options: {
    n: { type: 'string', default: '10000' },
    redis: { type: 'string', default: 'redis://127.0.0.1:6379' },
  },
});
const EACH = Math.ceil(Number(values.n) / 2);
const AT_ONCE = 20;
const LANES = 6;

interface Redeemed {
  readonly status: number;
  readonly body: { readonly access_token?: string; readonly refresh_token?: string; readonly error?: string };
}

async function ask(node: Node, fields: Readonly<Record<string, string>>): Promise<Redeemed> {
  const { id, secret } = node.client;
  const response = await fetch(new URL(node.endpoints.token, node.origin), {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${id}:${secret}`)}` },
    body: new URLSearchParams(fields),
  });
  return { status: response.status, body: (await response.json()) as Redeemed['body'] };
}

const redemption = (node: Node, code: string): Record<string, string> => ({
  grant_type: 'authorization_code',
  code,
  redirect_uri: node.client.redirectUri,
  code_verifier: PKCE_VERIFIER,
});

endServersOnSignal();
const people = Array.from({ length: LANES }, (_, n) => inventedPerson(n));
const { nodes, stop } = await startTwoNodes(
  { redisUrl: values.redis },
  people.map(({ identifier }) => identifier),
);
const [home] = nodes;
const twentyAtOnce = (fields: Readonly<Record<string, string>>): Promise<Redeemed[]> =>
  Promise.all(Array.from({ length: AT_ONCE }, (_, n) => ask(nodes[n % 2]!, fields)));

/** Successes of each code; 1 is right. */
const ofCodes = new Map<number, number>();
/** Different successors of each refresh token; 1 is right. */
const ofTokens = new Map<number, number>();
const refusals = new Map<string, number>();
const raise = <Key>(counts: Map<Key, number>, key: Key): void => void counts.set(key, (counts.get(key) ?? 0) + 1);

async function redeemCode(browser: Browser, lane: number): Promise<void> {
  const { code } = await authorize(home, browser, authorizationPath(home, {}), home.people[lane]);
  const answers = await twentyAtOnce(redemption(home, code));
  raise(ofCodes, answers.filter(({ status }) => status === 200).length);
  for (const { status, body } of answers) if (status !== 200) raise(refusals, `${status} ${body.error ?? ''}`);
}

async function renewToken(browser: Browser, lane: number): Promise<void> {
  const query = { scope: 'openid profile offline_access', prompt: 'consent' };
  const { code } = await authorize(home, browser, authorizationPath(home, query), home.people[lane]);
  const first = await ask(nodes[1], redemption(home, code));
  const answers = await twentyAtOnce({
    grant_type: 'refresh_token',
    refresh_token: first.body.refresh_token ?? '',
  });
  raise(ofTokens, new Set(answers.map(({ body }) => `${body.refresh_token} ${body.access_token}`)).size);
  for (const { status, body } of answers) if (status !== 200) raise(refusals, `refresh ${status} ${body.error ?? ''}`);
}

const startedMs = monotonicMs();
let [codes, tokens] = [EACH, EACH];
try {
  await Promise.all(
    people.map(async (_person, lane) => {
      const browser = new Browser(home.origin);
      while (codes > 0) {
        codes -= 1;
        await redeemCode(browser, lane);
      }
      while (tokens > 0) {
        tokens -= 1;
        await renewToken(browser, lane);
      }
      browser.connection.close();
    }),
  );
} finally {
  await stop();
}
const seconds = (monotonicMs() - startedMs) / 1000;
const table = (counts: Map<number | string, number>): string =>
  [...counts].map(([key, count]) => `${key}: ${count}`).join(', ') || 'none';
process.stdout.write(
  [
    `${EACH} codes, each redeemed ${AT_ONCE} times at once over two nodes; successes -> codes: ${table(ofCodes)}`,
    `${EACH} refresh tokens, the same; different successors -> tokens: ${table(ofTokens)}`,
    `refusals: ${table(refusals)}`,
    `${((2 * EACH * AT_ONCE) / seconds).toFixed(0)} redemptions/s, ${seconds.toFixed(0)} s`,
    '',
  ].join('\n'),
);
process.exit(ofCodes.get(1) === EACH && ofTokens.get(1) === EACH ? 0 : 1);
