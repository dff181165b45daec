import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { openHouse } from '../src/app.ts';
import { prepareConfig } from '../src/config/prepare.ts';
import { monotonicMs } from '../src/shared/clock.ts';
import { drillHash } from './drill-hash.ts';
import { createDrillReport, machineSentence } from './drill-report.ts';
import { REDIS_URL } from './engine-space.ts';
import { startEnrolments } from './enrolments.ts';
import { eventsMissing, ledgerComplaint, reportKept } from './kept-evidence.ts';
import { inventedPerson } from './peers.ts';
import { endServersOnSignal } from './server-process.ts';
import { p99Of, reasonsOf, startLoad } from './two-node-load.ts';
import { type Node, startTwoNodes } from './two-nodes.ts';

/*
 * `npm run drill:kill -- [--rate 30] [--seconds 60] [--every 5] [--hash real|least] [--redis redis://127.0.0.1:6379]`: people sign in at two nodes on
 * PostgreSQL and Redis, accounts are opened by two others, and every few seconds one of the two nodes is killed and started again, in turn. Whoever
 * chooses among the nodes knows at once which are there. Only flows that touched a node while it died may fail; every account, session, consent,
 * spent code and event that was acknowledged must be there afterwards. Says the figures, and ends with 1 when one is missed.
 */

const { values } = parseArgs({
  options: {
    rate: { type: 'string', default: '30' },
    seconds: { type: 'string', default: '60' },
    every: { type: 'string', default: '5' },
    hash: { type: 'string', default: 'real' },
    redis: { type: 'string', default: REDIS_URL },
  },
});
const HASH = drillHash(values.hash);
const RATE = Number(values.rate);
const DURATION_MS = Number(values.seconds) * 1000;
const EVERY_MS = Number(values.every) * 1000;
const PEOPLE = 16;
const QUIET_MS = 3_000;
const ENROL_EVERY_MS = 250;

interface Death {
  readonly node: Node;
  readonly atMs: number;
  readonly readyMs: number;
}

endServersOnSignal();
const identifiers = Array.from({ length: PEOPLE }, (_, n) => inventedPerson(n).identifier);
const { nodes, env, stop } = await startTwoNodes({ redisUrl: values.redis }, identifiers, HASH);
const prepared = prepareConfig({ env });
if (!prepared.ok) throw new Error(prepared.sentences.join('\n'));
const houses = [await openHouse(prepared.config), await openHouse(prepared.config)] as const;

const alive = new Set<Node>(nodes);
const deaths: Death[] = [];
const load = startLoad(RATE, () => [...alive]);
const enrolments = startEnrolments(houses, ENROL_EVERY_MS);

async function killAndStart(node: Node): Promise<void> {
  const atMs = monotonicMs();
  alive.delete(node);
  await node.kill();
  await node.start();
  alive.add(node);
  deaths.push({ node, atMs, readyMs: monotonicMs() - atMs });
}

const wasUnderWay = (flow: (typeof load.flows)[number]): boolean =>
  deaths.some(({ node, atMs }) => flow.nodes.includes(node) && flow.startedMs <= atMs && flow.endedMs >= atMs);

const report = createDrillReport();
try {
  await pause(QUIET_MS);
  const untilMs = monotonicMs() + DURATION_MS;
  for (let n = 0; monotonicMs() < untilMs; n += 1) {
    const nextMs = monotonicMs() + EVERY_MS;
    await killAndStart(nodes[n % 2]!);
    await pause(Math.max(0, nextMs - monotonicMs()));
  }
  await pause(QUIET_MS);
  await Promise.all([load.end(), enrolments.end()]);
  const failed = load.flows.filter(({ failure }) => failure !== undefined);
  const others = failed.filter((flow) => !wasUnderWay(flow));
  const slowestMs = Math.max(0, ...deaths.map(({ readyMs }) => readyMs));
  report.tell(`${deaths.length} deaths, ready again after ${Math.round(slowestMs)} ms at most`);
  report.tell(
    `${load.flows.length - failed.length} sign-ins of ${load.flows.length} begun, ${RATE} a second wanted; p99 of those done ${p99Of(load.flows)} ms`,
  );
  report.expect(
    others.length === 0,
    `${failed.length} failed, ${others.length} of them not under way at a node that died`,
  );
  await reportKept(report, load.flows, { sessions: nodes[1], codes: nodes[0] });
  const missing = await eventsMissing(houses[0], load.flows, identifiers);
  report.expect(missing === 0, `${missing} acknowledged sign-ins are not on record`);
  await enrolments.report(report, houses[0]);
  const complaint = await ledgerComplaint(env);
  report.expect(complaint === '', complaint === '' ? 'the ledger verifies' : complaint);
  for (const reason of reasonsOf(others)) report.tell(reason);
  report.tell(HASH.sentence);
  report.tell(machineSentence());
} finally {
  await Promise.all([load.end(), enrolments.end()]);
  for (const house of houses) await house.close();
  await stop();
}
process.exit(report.exitCode());
