import { parseArgs } from 'node:util';
import { monotonicMs } from '../src/shared/clock.ts';
import { type Answer, Connection } from './connection.ts';
import { type Draft, type FuzzCase, write } from './fuzz-draft.ts';
import { mutate } from './fuzz-mutations.ts';
import { Choices } from './fuzz-random.ts';
import { answers, liveTemplates, strangerTemplates } from './fuzz-templates.ts';
import { faultOfAnswer, faultOfSilence, UNHANDLED } from './fuzz-verdict.ts';
import { type Memory, WEIGHABLE, weigh } from './inspector.ts';
import { peerAt } from './peer-at.ts';
import { LEAST_HASH, type PeerName, type Running, startPeer } from './peers.ts';
import { table } from './report.ts';
import { endServersOnSignal } from './server-process.ts';

/*
 * Structured fuzzing of every route: requests the server would accept, changed a little, a lot, or beyond HTTP. Starts a
 * server of its own in a temporary folder, or takes one on loopback with --url. Ends with 1 if any answer is a 5xx other
 * than 503 with Retry-After, if a connection ends without an answer, if an answer shows a stack, a path or unescaped
 * markup, if the server reports an unhandled error, or if it keeps more than 50 MiB more memory than after the warm-up.
 *
 *   npm run fuzz -- --n 20000 --seed 1 [--case NUMBER] [--url http://127.0.0.1:3000] [--peer bare]
 */

const LANES = 8;
const ANSWER_DEADLINE_MS = 10_000;
const TEMPLATES_LIVE_FOR = 500;
/** Most requests are changed copies of good ones: a stranger's seldom get past the door. */
const LIVE_SHARE = 0.75;
const PROGRESS_EVERY = 5000;
const WARM_UP_SHARE = 0.25;
const MEMORY_GROWTH_BYTES_MAX = 50 * 1024 * 1024;
const FAILURES_SHOWN_MAX = 12;
const PEOPLE_COUNT = 4;

const { values: options } = parseArgs({
  options: {
    n: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    case: { type: 'string' },
    url: { type: 'string' },
    peer: { type: 'string', default: 'ours' },
  },
});
const caseCount = Number(options.n);
const seed = Number(options.seed);

interface Failure {
  readonly fault: string;
  readonly request: FuzzCase;
  readonly answer: Answer | undefined;
}

/** Everything a run has learnt. Failures are kept once per route and kind. */
class Findings {
  readonly failures = new Map<string, Failure>();
  readonly tally = new Map<string, Map<string, number>>();
  failureCount = 0;

  note(request: FuzzCase, outcome: string, fault: string | undefined, answer: Answer | undefined): void {
    const byOutcome = this.tally.get(request.route) ?? new Map<string, number>();
    this.tally.set(request.route, byOutcome.set(outcome, (byOutcome.get(outcome) ?? 0) + 1));
    if (fault === undefined) return;
    this.failureCount += 1;
    const key = `${request.route} ${fault}`;
    if (!this.failures.has(key)) this.failures.set(key, { fault, request, answer });
  }
}

async function attempt(connection: Connection, request: FuzzCase, findings: Findings): Promise<void> {
  try {
    const answer = await connection.exchange(request.bytes, request.bodiless);
    findings.note(request, String(answer.status), faultOfAnswer(request, answer), answer);
  } catch (error) {
    findings.note(request, 'none', faultOfSilence(request, error), undefined);
  }
  // What follows a broken message on the same connection is no longer ours to interpret.
  if (request.malformed || request.oversize) connection.close();
}

/** Live templates as of now; the old ones if the server will not give new ones, which is worth a word but no failure. */
async function renew(server: Running, old: readonly Draft[]): Promise<readonly Draft[]> {
  if (!server.process) return [];
  try {
    return await liveTemplates(server);
  } catch (error) {
    if (old.length === 0) throw error;
    process.stderr.write(`no new sign-in, going on with the old one: ${String(error).slice(0, 300)}\n`);
    return old;
  }
}

async function run(server: Running, first: number, end: number, findings: Findings): Promise<void> {
  const strangers = strangerTemplates(server);
  let templates = await renew(server, []);
  let renewal: Promise<void> | undefined;
  let next = first;
  await Promise.all(
    Array.from({ length: LANES }, async () => {
      const connection = new Connection(server.origin, ANSWER_DEADLINE_MS);
      while (next < end && (server.process?.running ?? true)) {
        const number = next;
        next += 1;
        if (number > first && number % TEMPLATES_LIVE_FOR === 0) {
          renewal = renew(server, templates).then((fresh) => {
            templates = fresh;
          });
        }
        await renewal;
        const choices = new Choices(seed, number);
        const pool = templates.length > 0 && choices.chance(LIVE_SHARE) ? templates : strangers;
        const request = write(number, mutate(choices.of(pool), choices), server.origin.host);
        await attempt(connection, request, findings);
        if ((number + 1) % PROGRESS_EVERY === 0)
          process.stderr.write(`${number + 1} requests, ${findings.failureCount} failures\n`);
      }
      connection.close();
    }),
  );
}

function show({ fault, request, answer }: Failure): string {
  const lines = [
    `FAILED ${request.route}: ${fault}`,
    `  again: npm run fuzz -- --seed ${seed} --case ${request.number}`,
  ];
  lines.push(`  sent: ${JSON.stringify(request.bytes.toString('latin1').slice(0, 1500))}`);
  if (answer) lines.push(`  got: ${JSON.stringify(`${answer.head}\n\n${answer.text}`.slice(0, 1200))}`);
  return lines.join('\n');
}

function summary({ tally }: Findings): string {
  const outcomes = [...new Set([...tally.values()].flatMap((byOutcome) => [...byOutcome.keys()]))].sort();
  const rows = [...tally.entries()].sort(([a], [b]) => (a < b ? -1 : 1));
  const total = (outcome: string): number =>
    rows.reduce((sum, [, byOutcome]) => sum + (byOutcome.get(outcome) ?? 0), 0);
  return table([
    ['route', ...outcomes],
    ...rows.map(([route, byOutcome]) => [route, ...outcomes.map((outcome) => String(byOutcome.get(outcome) ?? ''))]),
    ['all', ...outcomes.map((outcome) => String(total(outcome)))],
  ]);
}

/** Whatever the server's own streams and memory say about the run; one line each. */
async function aftermath(server: Running, warm: Memory | undefined): Promise<readonly string[]> {
  const complaints: string[] = [];
  if (!(await answers(server.origin))) complaints.push('the server no longer answers');
  if (!server.process) return complaints;
  const lost = [...server.process.stderr.split('\n'), ...server.process.stdout.split('\n')].find((line) =>
    UNHANDLED.test(line),
  );
  if (lost !== undefined) complaints.push(`the server reported: ${lost.slice(0, 400)}`);
  if (!server.process.running) complaints.push(`the server ended:\n${server.process.stderr.slice(-3000)}`);
  else if (warm) {
    const after = await weigh(server.process);
    const mebibytes = (bytes: number): string => (bytes / 1024 / 1024).toFixed(1);
    const grown = `heap ${mebibytes(warm.heap)} -> ${mebibytes(after.heap)} MiB, resident ${mebibytes(warm.resident)} -> ${mebibytes(after.resident)} MiB`;
    process.stdout.write(`memory after warm-up -> after the run: ${grown}\n`);
    const growth = Math.max(after.heap - warm.heap, after.resident - warm.resident);
    if (growth > MEMORY_GROWTH_BYTES_MAX) complaints.push(`memory grew: ${grown}`);
  }
  return complaints;
}

endServersOnSignal();
const server =
  options.url === undefined
    ? await startPeer(options.peer as PeerName, {
        hash: LEAST_HASH,
        peopleCount: PEOPLE_COUNT,
        nodeArguments: WEIGHABLE,
      })
    : await peerAt(options.url);
const findings = new Findings();
try {
  const startedMs = monotonicMs();
  let warm: Memory | undefined;
  if (options.case !== undefined) await run(server, Number(options.case), Number(options.case) + 1, findings);
  else {
    const warmUpEnd = Math.floor(caseCount * WARM_UP_SHARE);
    await run(server, 0, warmUpEnd, findings);
    if (server.process?.running) warm = await weigh(server.process);
    await run(server, warmUpEnd, caseCount, findings);
  }
  const seconds = (monotonicMs() - startedMs) / 1000;
  process.stdout.write(`${summary(findings)}\n`);
  const complaints = await aftermath(server, warm);
  for (const failure of [...findings.failures.values()].slice(0, FAILURES_SHOWN_MAX))
    process.stdout.write(`${show(failure)}\n`);
  for (const complaint of complaints) process.stdout.write(`FAILED ${complaint}\n`);
  const sentCount = options.case === undefined ? caseCount : 1;
  process.stdout.write(
    `seed ${seed}: ${sentCount} requests in ${seconds.toFixed(0)} s, ${findings.failureCount} failures of ${findings.failures.size} kinds, ${complaints.length} complaints\n`,
  );
  process.exitCode = findings.failureCount + complaints.length > 0 ? 1 : 0;
} finally {
  await server.stop();
}
process.exit();
