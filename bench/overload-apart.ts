import { setTimeout as pause } from 'node:timers/promises';
import { monotonicMs } from '../src/shared/clock.ts';
import { Browser } from './browser.ts';
import { createDrillReport, machineSentence } from './drill-report.ts';
import { closedLoop, type Operation, openLoop, quantile } from './measure.ts';
import { type Person, type Started, startPeer } from './peers.ts';
import { signIn, singleSignOn } from './scenarios.ts';
import { goOn, RefusedPage, redeem } from './sign-in.ts';
import { signInPage } from './sign-in-page.ts';
import { lanes } from './storm.ts';

/*
 * A crowd of people with right passwords, three times as many as the server can take: what it does must stay near what it can, everybody else is
 * to be told so at once, and people with a session must notice as little as possible.
 */

const PEOPLE = 32;
const CROWD = 3;
const PEAK_MS = 15_000;
const PEAK_LANES = 8;
const AGAIN_MS = 100;
const WARM_UP_MS = 3_000;
const SSO_PER_SECOND = 10;
const SSO_LANES = 16;
const GOODPUT_MIN = 0.85;
const REFUSED_P99_MS = 100;
/** Two passes are what the product takes by default. */
const ITERATIONS = 2;

type Ending =
  | { readonly kind: 'done'; readonly atMs: number; readonly tookMs: number }
  | { readonly kind: 'refused'; readonly tookMs: number; readonly saysWhen: boolean }
  | { readonly kind: 'failed'; readonly reason: string };

/** One person in a browser that was never here, from the portal to its tokens, or to the page that turns them away. */
async function cameOnce(server: Started, { identifier, password }: Person): Promise<Ending> {
  const browser = new Browser(server.origin);
  const startedMs = monotonicMs();
  try {
    const page = await signInPage(server, browser);
    const askedMs = monotonicMs();
    const answer = await browser.post(page.action, { ...page.hidden, identifier, password });
    if (answer.status === 503) {
      return { kind: 'refused', tookMs: monotonicMs() - askedMs, saysWhen: answer.header('retry-after') !== undefined };
    }
    // Without the person: whoever is shown the sign-in page again has not been let in.
    const { code } = await goOn(server, browser, { path: page.action, answer });
    await redeem(server, browser.connection, code);
    return { kind: 'done', atMs: monotonicMs(), tookMs: monotonicMs() - startedMs };
  } catch (error) {
    return { kind: 'failed', reason: String(error).slice(0, 160) };
  } finally {
    browser.connection.close();
  }
}

/** What the server does when about as many come as it can take, in sign-ins a second; who is turned away all the same comes again. */
async function peakOf(server: Started): Promise<number> {
  let turnedAway = 0;
  const crowd = (await lanes(PEAK_LANES, (lane) => signIn(server, lane))).map(
    (operate): Operation =>
      async () => {
        try {
          return await operate();
        } catch (error) {
          if (!(error instanceof RefusedPage) || error.status !== 503) throw error;
          turnedAway += 1;
          await pause(AGAIN_MS);
          return 0;
        }
      },
  );
  await closedLoop(server.process.pid, crowd, WARM_UP_MS);
  turnedAway = 0;
  const { operationsPerSecond } = await closedLoop(server.process.pid, crowd, PEAK_MS);
  return operationsPerSecond - turnedAway / (PEAK_MS / 1000);
}

/** Lets people come at a rate, whatever becomes of those before them. */
async function crowdOf(server: Started, perSecond: number, durationMs: number): Promise<readonly Ending[]> {
  const coming: Promise<Ending>[] = [];
  const startedMs = monotonicMs();
  const count = Math.floor((durationMs / 1000) * perSecond);
  for (let n = 0; n < count; n += 1) {
    const earlyMs = startedMs + (n * 1000) / perSecond - monotonicMs();
    if (earlyMs > 0) await new Promise((resolve) => setTimeout(resolve, earlyMs));
    coming.push(cameOnce(server, server.people[n % server.people.length]!));
  }
  return Promise.all(coming);
}

/** `npm run drill:overload -- --engine postgres-redis`. Resolves with the exit code: 1 when a bar is missed. */
export async function drillOverloadApart(durationMs: number, hashKib: number): Promise<0 | 1> {
  const report = createDrillReport();
  const hash = { memoryKib: hashKib, iterations: ITERATIONS };
  const server = await startPeer('ours', { hash, peopleCount: PEOPLE, engine: 'postgres-redis' });
  try {
    report.tell(`passwords: Argon2id with ${hashKib} KiB and ${ITERATIONS} passes; one node on PostgreSQL and Redis`);
    report.tell(machineSentence());
    const peak = await peakOf(server);
    const sso = await lanes(SSO_LANES, (lane) => singleSignOn(server, lane));
    let ssoFailed = 0;
    const signedIn = sso.map(
      (operate) => () =>
        operate().catch(() => {
          ssoFailed += 1;
          return 0;
        }),
    );
    const idleMs = await openLoop(signedIn, SSO_PER_SECOND, PEAK_MS / 3);
    report.tell(
      `peak ${peak.toFixed(1)} sign-ins a second; ${(CROWD * peak).toFixed(1)} come, for ${durationMs / 1000} s`,
    );

    const startedMs = monotonicMs();
    const [crowdMs, endings] = await Promise.all([
      openLoop(signedIn, SSO_PER_SECOND, durationMs),
      crowdOf(server, CROWD * peak, durationMs),
    ]);
    // Whoever is let in after the minute is no part of what was done in it.
    const done = endings.filter((ending) => ending.kind === 'done');
    const inTime = done.filter(({ atMs }) => atMs - startedMs <= durationMs);
    const refused = endings.filter((ending) => ending.kind === 'refused');
    const failed = endings.filter((ending) => ending.kind === 'failed');
    const goodput = inTime.length / (durationMs / 1000);
    const share = goodput / peak;
    const refusedMs = refused.map(({ tookMs }) => tookMs);
    const refusedP99 = quantile(refusedMs, 0.99);
    report.tell(`${endings.length} came: ${done.length} got their tokens, ${refused.length} were turned away`);
    report.expect(
      share >= GOODPUT_MIN,
      `goodput ${goodput.toFixed(1)} a second, ${(share * 100).toFixed(0)} % of the peak; at least ${GOODPUT_MIN * 100} %`,
    );
    report.expect(
      refused.length > 0 && refused.every(({ saysWhen }) => saysWhen),
      'everybody who was turned away got 503 with Retry-After',
    );
    report.expect(
      refusedP99 <= REFUSED_P99_MS,
      `turned away within p50 ${quantile(refusedMs, 0.5).toFixed(1)} ms, p99 ${refusedP99.toFixed(1)} ms; at most ${REFUSED_P99_MS} ms`,
    );
    report.expect(failed.length === 0, `${failed.length} ended otherwise`);
    for (const reason of new Set(failed.map((one) => one.reason))) report.tell(reason);
    report.expect(ssoFailed === 0, `${ssoFailed} of ${idleMs.length + crowdMs.length} uses of a session failed`);
    const p99 = (ms: readonly number[]): string => quantile(ms, 0.99).toFixed(1);
    report.tell(`a session: p99 ${p99(idleMs)} ms before the crowd, ${p99(crowdMs)} ms in it`);
    report.tell(
      `those let in: p50 ${Math.round(
        quantile(
          done.map(({ tookMs }) => tookMs),
          0.5,
        ),
      )} ms`,
    );
    report.tell(machineSentence());
    return report.exitCode();
  } finally {
    await server.stop();
  }
}
