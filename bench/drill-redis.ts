import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { monotonicMs } from '../src/shared/clock.ts';
import { Browser } from './browser.ts';
import { drillHash } from './drill-hash.ts';
import { type Blow, createDrillReport, machineSentence, reportBlows } from './drill-report.ts';
import { SPENT_MAX } from './kept-evidence.ts';
import { startOwnRedis } from './own-redis.ts';
import { inventedPerson } from './peers.ts';
import { endServersOnSignal } from './server-process.ts';
import { authorizationPath, authorize } from './sign-in.ts';
import { boughtTwice, lostSessions, p99Of, reasonsOf, startLoad } from './two-node-load.ts';
import { startTwoNodes } from './two-nodes.ts';

/*
 * `npm run drill:redis -- [--rate 50] [--hash real|least]`: people sign in at two nodes while the Redis of the drill hangs for ten seconds, loses
 * everything, and is killed and started again: half a minute of load. No session may end, no code may buy tokens twice, and after each blow
 * errors may come for five seconds at most. Says the figures, and ends with 1 when one is missed.
 */

const { values } = parseArgs({
  options: { rate: { type: 'string', default: '50' }, hash: { type: 'string', default: 'real' } },
});
const HASH = drillHash(values.hash);
const RATE = Number(values.rate);
const PEOPLE = 8;
const QUIET_MS = 5_000;
const HANG_MS = 10_000;
const ERRORS_MS_MAX = 5_000;

endServersOnSignal();
const redis = await startOwnRedis();
const { nodes, stop } = await startTwoNodes(
  { redisUrl: redis.url },
  Array.from({ length: PEOPLE }, (_, n) => inventedPerson(n).identifier),
  HASH,
);

const blows: Blow[] = [];
const strike = (name: string): void => void blows.push({ name, atMs: monotonicMs(), errorsMsMax: ERRORS_MS_MAX });

/** Sessions of before the first blow; some of those begun later are added at the end. */
const kept = await Promise.all(
  Array.from({ length: PEOPLE }, async (_, n) => {
    const browser = new Browser(nodes[0].origin);
    await authorize(nodes[0], browser, authorizationPath(nodes[0], {}), nodes[0].people[n]);
    return browser;
  }),
);

const startedMs = monotonicMs();
const load = startLoad(RATE, () => nodes);
let endedMs = startedMs;
let [lost, twice, spentCount] = [0, 0, 0];
try {
  await sleep(QUIET_MS);
  strike(`hang of ${HANG_MS / 1000} s`);
  redis.signal('SIGSTOP');
  await sleep(HANG_MS);
  redis.signal('SIGCONT');
  await sleep(QUIET_MS);
  strike('FLUSHALL');
  await redis.flush();
  await sleep(QUIET_MS);
  strike('kill and restart');
  await redis.killAndStart();
  await sleep(QUIET_MS);
  await load.end();
  endedMs = monotonicMs();
  const spent = load.flows.flatMap(({ code }) => code ?? []).slice(-SPENT_MAX);
  spentCount = spent.length;
  twice = await boughtTwice(nodes[0], spent);
  kept.push(...load.flows.flatMap(({ browser }) => browser ?? []));
  lost = await lostSessions(nodes[0], kept);
} finally {
  await load.end();
  await stop();
  await redis.remove();
}

const failed = load.flows.filter(({ failure }) => failure !== undefined);
const report = createDrillReport();
report.tell(
  `${load.flows.length - failed.length} sign-ins of ${load.flows.length} begun in ${Math.round((endedMs - startedMs) / 1000)} s, ${RATE} a second wanted; p99 of those done ${p99Of(load.flows)} ms`,
);
reportBlows(
  report,
  blows,
  failed.map(({ endedMs }) => endedMs),
);
report.expect(lost === 0, `${lost} of ${kept.length} sessions lost`);
report.expect(twice === 0, `${twice} of ${spentCount} spent codes bought tokens again`);
for (const reason of reasonsOf(failed)) report.tell(reason);
report.tell(HASH.sentence);
report.tell(machineSentence());
process.exit(report.exitCode());
