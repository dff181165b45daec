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
import { authorizationPath, authorize } from './sign-in.ts';
import { boughtTwice, lostSessions, startLoad } from './two-node-load.ts';
import { startTwoNodes } from './two-nodes.ts';

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
const SPENT_MAX = 500;

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
  { redisUrl: `redis://127.0.0.1:${port}` },
  Array.from({ length: PEOPLE }, (_, n) => inventedPerson(n).identifier),
);

const startedMs = monotonicMs();
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

const load = startLoad(RATE, () => nodes);
let [lost, twice, spentCount] = [0, 0, 0];
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
  await load.end();
  const spent = load.flows.flatMap(({ code }) => code ?? []).slice(-SPENT_MAX);
  spentCount = spent.length;
  twice = await boughtTwice(nodes[0], spent);
  lost = await lostSessions(nodes[0], kept);
} finally {
  await load.end();
  await stop();
  redis.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
}

const failedAtMs = load.flows.flatMap(({ failure, endedMs }) => (failure === undefined ? [] : [endedMs - startedMs]));
const windows = blows.map(({ name, atMs }, at) => {
  const untilMs = blows[at + 1]?.atMs ?? Number.POSITIVE_INFINITY;
  const errors = failedAtMs.filter((failedMs) => failedMs >= atMs && failedMs < untilMs);
  return { name, count: errors.length, windowMs: errors.length === 0 ? 0 : Math.max(...errors) - atMs };
});
const tooLong = windows.filter(({ windowMs }) => windowMs > ERRORS_MS_MAX);
process.stdout.write(
  [
    `${load.flows.length - failedAtMs.length} sign-ins of ${load.flows.length} begun, ${RATE} a second wanted`,
    ...windows.map(
      ({ name, count, windowMs }) => `${name}: ${count} failed, the last ${Math.round(windowMs)} ms after it began`,
    ),
    `${lost} of ${kept.length} sessions lost; ${twice} of ${spentCount} spent codes bought tokens again`,
    '',
  ].join('\n'),
);
process.exit(lost + twice + tooLong.length === 0 ? 0 : 1);
