import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { openHouse } from '../src/app.ts';
import { prepareConfig } from '../src/config/prepare.ts';
import { monotonicMs } from '../src/shared/clock.ts';
import { drillHash } from './drill-hash.ts';
import { type Blow, createDrillReport, machineSentence, reportBlows } from './drill-report.ts';
import { REDIS_URL } from './engine-space.ts';
import { startEnrolments } from './enrolments.ts';
import { ledgerComplaint, reportKept } from './kept-evidence.ts';
import { startOwnPostgres } from './own-postgres.ts';
import { inventedPerson } from './peers.ts';
import { endServersOnSignal } from './server-process.ts';
import { p99Of, reasonsOf, startLoad } from './two-node-load.ts';
import { startTwoNodes } from './two-nodes.ts';

/*
 * `npm run drill:postgres -- [--rate 50] [--hash real|least] [--redis redis://127.0.0.1:6379]`: people sign in at two nodes, and accounts are opened
 * by two others, each twice at once, while the PostgreSQL of the drill is restarted in order, loses its power, and is away for five seconds:
 * three quarters of a minute of load. After each blow all must go on within ten seconds; no session may end, no code buy tokens twice, no
 * account be lost or be there twice, and the ledger must verify. Says the figures, and ends with 1 when one is missed.
 */

const { values } = parseArgs({
  options: {
    rate: { type: 'string', default: '50' },
    hash: { type: 'string', default: 'real' },
    redis: { type: 'string', default: REDIS_URL },
  },
});
const HASH = drillHash(values.hash);
const RATE = Number(values.rate);
const PEOPLE = 16;
const QUIET_MS = 12_000;
const AWAY_MS = 5_000;
const RECOVERED_MS_MAX = 10_000;
const ENROL_EVERY_MS = 100;

endServersOnSignal();
const postgres = await startOwnPostgres();
const { nodes, env, stop } = await startTwoNodes(
  { redisUrl: values.redis, postgresUrl: postgres.url },
  Array.from({ length: PEOPLE }, (_, n) => inventedPerson(n).identifier),
  HASH,
);

const prepared = prepareConfig({ env });
if (!prepared.ok) throw new Error(prepared.sentences.join('\n'));
const houses = [await openHouse(prepared.config), await openHouse(prepared.config)] as const;

const startedMs = monotonicMs();
const blows: Blow[] = [];
const strike = (name: string, awayMs = 0): void =>
  void blows.push({ name, atMs: monotonicMs(), errorsMsMax: RECOVERED_MS_MAX + awayMs });
const load = startLoad(RATE, () => nodes);
const enrolments = startEnrolments(houses, ENROL_EVERY_MS);
const report = createDrillReport();

try {
  await pause(QUIET_MS / 2);
  strike('restart in order');
  await postgres.end('fast');
  await postgres.start();
  await pause(QUIET_MS);
  strike('loss of power');
  await postgres.end('immediate');
  await postgres.start();
  await pause(QUIET_MS);
  strike(`away for ${AWAY_MS / 1000} s`, AWAY_MS);
  await postgres.end('fast');
  await pause(AWAY_MS);
  await postgres.start();
  await pause(QUIET_MS);
  await Promise.all([load.end(), enrolments.end()]);
  const seconds = Math.round((monotonicMs() - startedMs) / 1000);
  const failed = load.flows.filter(({ failure }) => failure !== undefined);
  report.tell(
    `${load.flows.length - failed.length} sign-ins of ${load.flows.length} begun in ${seconds} s, ${RATE} a second wanted; p99 of those done ${p99Of(load.flows)} ms`,
  );
  reportBlows(
    report,
    blows,
    failed.map(({ endedMs }) => endedMs),
  );
  await reportKept(report, load.flows, { sessions: nodes[0], codes: nodes[0] });
  await enrolments.report(report, houses[0]);
  const complaint = await ledgerComplaint(env);
  report.expect(complaint === '', complaint === '' ? 'the ledger verifies' : complaint);
  for (const reason of reasonsOf(failed)) report.tell(reason);
  report.tell(HASH.sentence);
  report.tell(machineSentence());
} finally {
  await Promise.all([load.end(), enrolments.end()]);
  for (const house of houses) await house.close();
  await stop();
  await postgres.remove();
}
process.exit(report.exitCode());
