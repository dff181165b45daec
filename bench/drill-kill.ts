import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { openHouse } from '../src/app.ts';
import { prepareConfig } from '../src/config/prepare.ts';
import { parseIdNumber } from '../src/people/id-number.ts';
import { monotonicMs } from '../src/shared/clock.ts';
import { ledgerEntries } from '../test/support/ledger.ts';
import { REDIS_URL } from './engine-space.ts';
import { inventedPerson } from './peers.ts';
import { endServersOnSignal, runCommand } from './server-process.ts';
import { boughtTwice, lostSessions, startLoad } from './two-node-load.ts';
import { type Node, startTwoNodes } from './two-nodes.ts';

/*
 * `npm run drill:kill -- [--rate 30] [--seconds 60] [--every 5] [--redis redis://127.0.0.1:6379]`: people sign in at two nodes on PostgreSQL and Redis,
 * and every few seconds one of the two is killed and started again, in turn. Whoever chooses among the nodes knows at once which are there. Only flows that
 * touched a node while it died may fail; every session, consent, spent code and event that was acknowledged must be there afterwards. Says
 * the figures, and ends with 1 when one is missed.
 */

const { values } = parseArgs({
  options: {
    rate: { type: 'string', default: '30' },
    seconds: { type: 'string', default: '60' },
    every: { type: 'string', default: '5' },
    redis: { type: 'string', default: REDIS_URL },
  },
});
const RATE = Number(values.rate);
const DURATION_MS = Number(values.seconds) * 1000;
const EVERY_MS = Number(values.every) * 1000;
const PEOPLE = 16;
const QUIET_MS = 3_000;
const SPENT_MAX = 500;

interface Death {
  readonly node: Node;
  readonly atMs: number;
  readonly readyMs: number;
}

endServersOnSignal();
const { nodes, env, stop } = await startTwoNodes(
  { redisUrl: values.redis },
  Array.from({ length: PEOPLE }, (_, n) => inventedPerson(n).identifier),
);
const prepared = prepareConfig({ env });
if (!prepared.ok) throw new Error(prepared.sentences.join('\n'));
const house = await openHouse(prepared.config);

const alive = new Set<Node>(nodes);
const deaths: Death[] = [];
const load = startLoad(RATE, () => [...alive]);

async function killAndStart(node: Node): Promise<void> {
  const atMs = monotonicMs();
  alive.delete(node);
  await node.kill();
  await node.start();
  alive.add(node);
  deaths.push({ node, atMs, readyMs: monotonicMs() - atMs });
}

/** Acknowledged sign-ins of each person, and those the ledger knows of. */
async function eventsMissing(): Promise<number> {
  let missing = 0;
  const told = new Map<string, number>();
  for (const { actor, subject } of await ledgerEntries(house.database, 'sign-in.succeeded')) {
    const person = subject ?? actor;
    told.set(person, (told.get(person) ?? 0) + 1);
  }
  for (let person = 0; person < PEOPLE; person += 1) {
    const parsed = parseIdNumber(inventedPerson(person).identifier);
    const found = parsed.ok ? await house.persons.findByIdNumber(parsed.number) : undefined;
    const acknowledged = load.flows.filter((flow) => flow.person === person && flow.code !== undefined).length;
    missing += Math.max(0, acknowledged - (told.get(found?.id ?? '') ?? 0));
  }
  return missing;
}

const wasUnderWay = (flow: (typeof load.flows)[number]): boolean =>
  deaths.some(({ node, atMs }) => flow.nodes.includes(node) && flow.startedMs <= atMs && flow.endedMs >= atMs);

let [lost, twice, spentCount, keptCount, eventsLost, verified] = [0, 0, 0, 0, 0, ''];
try {
  await pause(QUIET_MS);
  const untilMs = monotonicMs() + DURATION_MS;
  for (let n = 0; monotonicMs() < untilMs; n += 1) {
    const nextMs = monotonicMs() + EVERY_MS;
    await killAndStart(nodes[n % 2]!);
    await pause(Math.max(0, nextMs - monotonicMs()));
  }
  await pause(QUIET_MS);
  await load.end();
  const spent = load.flows.flatMap(({ code }) => code ?? []).slice(-SPENT_MAX);
  spentCount = spent.length;
  twice = await boughtTwice(nodes[0], spent);
  const kept = load.flows.flatMap(({ browser }) => browser ?? []);
  keptCount = kept.length;
  lost = await lostSessions(nodes[1], kept);
  eventsLost = await eventsMissing();
  verified = await runCommand(['src/main.ts', 'audit', 'verify', '--live', '--json'], env).then(
    () => '',
    (error: unknown) => String(error),
  );
} finally {
  await load.end();
  await house.close();
  await stop();
}

const failed = load.flows.filter(({ failure }) => failure !== undefined);
const others = failed.filter((flow) => !wasUnderWay(flow));
const slowestMs = Math.max(0, ...deaths.map(({ readyMs }) => readyMs));
process.stdout.write(
  [
    `${deaths.length} deaths, ready again after ${Math.round(slowestMs)} ms at most`,
    `${load.flows.length - failed.length} sign-ins of ${load.flows.length} begun, ${RATE} a second wanted; ${failed.length} failed, ${others.length} of them not under way at a node that died`,
    `${lost} of ${keptCount} sessions lost, with their consents; ${twice} of ${spentCount} spent codes bought tokens again; ${eventsLost} acknowledged sign-ins are not on record`,
    verified === '' ? 'the ledger verifies' : `the ledger does not verify: ${verified}`,
    ...[...new Set(others.map(({ failure }) => failure))].slice(0, 8).map((failure) => `  ${failure}`),
    '',
  ].join('\n'),
);
process.exit(others.length + lost + twice + eventsLost === 0 && verified === '' ? 0 : 1);
