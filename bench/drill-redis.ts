import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { monotonicMs } from '../src/shared/clock.ts';
import { Browser } from './browser.ts';
import { inventedPerson } from './peers.ts';
import { endServersOnSignal, freePort } from './server-process.ts';
import { authorizationPath, authorize, PKCE_VERIFIER } from './sign-in.ts';
import { type Node, startTwoNodes } from './two-nodes.ts';

/*
 * `npm run drill:redis -- [--rate 50]`: people sign in at two nodes while the Redis of the drill hangs for ten seconds, loses everything, and is
 * killed and started again. No session may end, no code may buy tokens twice, and after each blow errors may come for five seconds at most.
 * Says the figures, and ends with 1 when one is missed.
 */

const { values } = parseArgs({ options: { rate: { type: 'string', default: '50' } } });
const RATE = Number(values.rate);
const PEOPLE = 8;
const QUIET_MS = 5_000;
const HANG_MS = 10_000;
const ERRORS_MS_MAX = 5_000;

const folder = await mkdtemp(join(tmpdir(), 'tongban-drill-redis-'));
const port = await freePort();
let redis = startRedis();
process.once('exit', () => redis.kill('SIGKILL'));
endServersOnSignal();

function startRedis(): ChildProcess {
  const options = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'yes'];
  return spawn('redis-server', options, { stdio: 'ignore' });
}

const cli = (...args: readonly string[]): string =>
  spawnSync('redis-cli', ['-p', String(port), ...args], { encoding: 'utf8' }).stdout;
while (!cli('ping').startsWith('PONG')) await sleep(50);

const { nodes, stop } = await startTwoNodes(
  `redis://127.0.0.1:${port}`,
  Array.from({ length: PEOPLE }, (_, n) => inventedPerson(n).identifier),
);

async function redeem(node: Node, code: string): Promise<number> {
  const { id, secret, redirectUri } = node.client;
  const response = await fetch(new URL(node.endpoints.token, node.origin), {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${id}:${secret}`)}` },
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code,
      redirect_uri: redirectUri,
      code_verifier: PKCE_VERIFIER,
    }),
  });
  await response.arrayBuffer();
  return response.status;
}

const startedMs = monotonicMs();
const failedAtMs: number[] = [];
const spent: string[] = [];
let [signedIn, twice] = [0, 0];

/** A whole sign-in at one node, its code bought at the other, and asked for again. */
async function signIn(n: number): Promise<void> {
  const node = nodes[n % 2]!;
  const browser = new Browser(node.origin);
  try {
    const { code } = await authorize(node, browser, authorizationPath(node, {}), node.people[n % PEOPLE]);
    if ((await redeem(nodes[(n + 1) % 2]!, code)) !== 200) throw new Error('the code bought nothing');
    spent.push(code);
    signedIn += 1;
  } catch {
    failedAtMs.push(monotonicMs() - startedMs);
  } finally {
    browser.connection.close();
  }
}

const blows: { readonly name: string; readonly atMs: number }[] = [];
const strike = (name: string): void => void blows.push({ name, atMs: monotonicMs() - startedMs });

/** Sessions of before the first blow. */
const kept = await Promise.all(
  Array.from({ length: PEOPLE }, async (_, n) => {
    const browser = new Browser(nodes[0].origin);
    await authorize(nodes[0], browser, authorizationPath(nodes[0], {}), nodes[0].people[n]);
    return browser;
  }),
);

let over = false;
const underWay = new Set<Promise<void>>();
async function keepSigningIn(): Promise<void> {
  for (let n = 0; !over; n += 1) {
    const one = signIn(n).finally(() => underWay.delete(one));
    underWay.add(one);
    await sleep(Math.max(0, ((n + 1) * 1000) / RATE - (monotonicMs() - begunMs)));
  }
  await Promise.all(underWay);
}
const begunMs = monotonicMs();
const load = keepSigningIn();
let lost = 0;
try {
  await sleep(QUIET_MS);
  strike(`hang of ${HANG_MS / 1000} s`);
  redis.kill('SIGSTOP');
  await sleep(HANG_MS);
  redis.kill('SIGCONT');
  await sleep(QUIET_MS);
  strike('FLUSHALL');
  cli('FLUSHALL');
  await sleep(QUIET_MS);
  strike('kill and restart');
  redis.kill('SIGKILL');
  redis = startRedis();
  await sleep(QUIET_MS);
  over = true;
  await load;
  for (const code of spent.slice(-500)) if ((await redeem(nodes[0], code)) === 200) twice += 1;
  for (const browser of kept) {
    const again = authorize(nodes[0], browser, authorizationPath(nodes[0], { prompt: 'none' }));
    await again.catch(() => {
      lost += 1;
    });
  }
} finally {
  over = true;
  await stop();
  redis.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
}

const windows = blows.map(({ name, atMs }, at) => {
  const untilMs = blows[at + 1]?.atMs ?? Number.POSITIVE_INFINITY;
  const errors = failedAtMs.filter((failedMs) => failedMs >= atMs && failedMs < untilMs);
  return { name, count: errors.length, windowMs: errors.length === 0 ? 0 : Math.max(...errors) - atMs };
});
const tooLong = windows.filter(({ windowMs }) => windowMs > ERRORS_MS_MAX);
process.stdout.write(
  [
    `${signedIn} sign-ins of ${signedIn + failedAtMs.length} begun, ${RATE} a second wanted`,
    ...windows.map(
      ({ name, count, windowMs }) => `${name}: ${count} failed, the last ${Math.round(windowMs)} ms after it began`,
    ),
    `${lost} of ${kept.length} sessions lost; ${twice} of ${Math.min(500, spent.length)} spent codes bought tokens again`,
    '',
  ].join('\n'),
);
process.exit(lost + twice + tooLong.length === 0 ? 0 : 1);
