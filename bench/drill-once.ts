import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { monotonicMs } from '../src/shared/clock.ts';
import { Browser } from './browser.ts';
import { Connection } from './connection.ts';
import { createDrillReport, machineSentence } from './drill-report.ts';
import { REDIS_URL } from './engine-space.ts';
import { inventedPerson } from './peers.ts';
import { endServersOnSignal } from './server-process.ts';
import { authorizationPath, authorize, PKCE_VERIFIER, portalRequest, RefusedPage } from './sign-in.ts';
import { type Node, startTwoNodes } from './two-nodes.ts';

/*
 * `npm run drill:once -- [--n 10000] [--at-once 20] [--redis redis://127.0.0.1:6379]`: so many codes and as many refresh tokens, each redeemed twenty
 * times at once over two nodes on PostgreSQL and Redis. A code must buy tokens once (R1), a refresh token must have one successor, however often
 * it is asked for (A8). Says how far it is every ten seconds and the figures at the end, and ends with 1 when anything was redeemed otherwise.
 */

const { values } = parseArgs({
  options: {
    n: { type: 'string', default: '10000' },
    'at-once': { type: 'string', default: '20' },
    redis: { type: 'string', default: REDIS_URL },
  },
});
const EACH = Number(values.n);
const AT_ONCE = Number(values['at-once']);
const LANES = 6;
const TELL_MS = 10_000;
/** For a house that is too busy to answer: how long to wait, and how often. */
const LATER_MS = 500;
const TRIES_MAX = 60;

interface Redeemed {
  readonly status: number;
  readonly body: { readonly access_token?: string; readonly refresh_token?: string; readonly error?: string };
}

/** A connection to a node, kept open: opening 400,000 of them would take longer than what is asked. */
interface Line {
  readonly node: Node;
  readonly connection: Connection;
}

async function ask({ node, connection }: Line, fields: Readonly<Record<string, string>>): Promise<Redeemed> {
  const answer = await connection.exchange(portalRequest(node, node.endpoints.token, fields));
  return { status: answer.status, body: JSON.parse(answer.text) as Redeemed['body'] };
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

/** Successes of each code; 1 is right. */
const ofCodes = new Map<number, number>();
/** Different successors of each refresh token; 1 is right. */
const ofTokens = new Map<number, number>();
const refusals = new Map<string, number>();
const raise = <Key>(counts: Map<Key, number>, key: Key): void => void counts.set(key, (counts.get(key) ?? 0) + 1);

/** Offers something over all lines at once; whoever is told to come later (503) does, until the house has decided. */
async function offerAtOnce(
  lines: readonly Line[],
  fields: Readonly<Record<string, string>>,
  what: string,
): Promise<readonly Redeemed[]> {
  return Promise.all(
    lines.map(async (line) => {
      for (let tries = 1; ; tries += 1) {
        const answer = await ask(line, fields);
        if (answer.status !== 200) raise(refusals, `${what} ${answer.status} ${answer.body.error ?? ''}`);
        if (answer.status !== 503 || tries === TRIES_MAX) return answer;
        await pause(LATER_MS);
      }
    }),
  );
}

/** A code through the session, however often a busy house has to be asked. */
async function codeFor(browser: Browser, query: Readonly<Record<string, string>>, lane: number): Promise<string> {
  for (let tries = 1; ; tries += 1) {
    try {
      return (await authorize(home, browser, authorizationPath(home, query), home.people[lane])).code;
    } catch (error) {
      if (!(error instanceof RefusedPage) || error.status !== 503 || tries === TRIES_MAX) throw error;
      raise(refusals, 'page 503');
      await pause(LATER_MS);
    }
  }
}

async function redeemCode(browser: Browser, lines: readonly Line[], lane: number): Promise<void> {
  const code = await codeFor(browser, {}, lane);
  const answers = await offerAtOnce(lines, redemption(home, code), 'code');
  raise(ofCodes, answers.filter(({ status }) => status === 200).length);
}

async function renewToken(browser: Browser, lines: readonly Line[], lane: number): Promise<void> {
  const code = await codeFor(browser, { scope: 'openid profile offline_access', prompt: 'consent' }, lane);
  const [first] = await offerAtOnce([lines[1]!], redemption(home, code), 'first');
  const fields = { grant_type: 'refresh_token', refresh_token: first?.body.refresh_token ?? '' };
  const answers = await offerAtOnce(lines, fields, 'refresh');
  raise(ofTokens, new Set(answers.map(({ body }) => `${body.refresh_token} ${body.access_token}`)).size);
}

const startedMs = monotonicMs();
let [codes, tokens] = [EACH, EACH];
const told = setInterval(() => {
  const seconds = ((monotonicMs() - startedMs) / 1000).toFixed(0);
  process.stderr.write(`${seconds} s: ${EACH - codes} codes and ${EACH - tokens} refresh tokens of ${EACH} begun\n`);
}, TELL_MS);
try {
  await Promise.all(
    people.map(async (_person, lane) => {
      const browser = new Browser(home.origin);
      const lines = Array.from({ length: AT_ONCE }, (_, n): Line => {
        const node = nodes[n % 2]!;
        return { node, connection: new Connection(node.origin) };
      });
      while (codes > 0) {
        codes -= 1;
        await redeemCode(browser, lines, lane);
      }
      while (tokens > 0) {
        tokens -= 1;
        await renewToken(browser, lines, lane);
      }
      for (const { connection } of [browser, ...lines]) connection.close();
    }),
  );
} finally {
  clearInterval(told);
  await stop();
}
const seconds = (monotonicMs() - startedMs) / 1000;
const table = (counts: Map<number | string, number>): string =>
  [...counts].map(([key, count]) => `${key}: ${count}`).join(', ') || 'none';
const report = createDrillReport();
report.expect(
  ofCodes.get(1) === EACH,
  `${EACH} codes, each redeemed ${AT_ONCE} times at once over two nodes; successes -> codes: ${table(ofCodes)}`,
);
report.expect(
  ofTokens.get(1) === EACH,
  `${EACH} refresh tokens, the same; different successors -> tokens: ${table(ofTokens)}`,
);
report.tell(`refusals: ${table(refusals)}`);
report.tell(`${((2 * EACH * AT_ONCE) / seconds).toFixed(0)} redemptions/s, ${seconds.toFixed(0)} s`);
report.tell(machineSentence());
process.exit(report.exitCode());
