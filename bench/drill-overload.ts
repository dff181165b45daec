import { createHash } from 'node:crypto';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { monotonicMs } from '../src/shared/clock.ts';
import { Browser } from './browser.ts';
import { Connection } from './connection.ts';
import { type Drilled, startDrilled } from './defence-drill.ts';
import { closedLoop, type Operation, openLoop, quantile } from './measure.ts';
import { drillOverloadApart } from './overload-apart.ts';
import { inventedPerson } from './peers.ts';
import { singleSignOn } from './scenarios.ts';
import { endServersOnSignal, residentBytes } from './server-process.ts';
import { readSignInPage, signInPage } from './sign-in-page.ts';

/*
 * `npm run drill:overload -- [--seconds 20] [--hash-kib 19456]`: ten times as many wrong passwords as the server can hash, from 200 addresses of this
 * machine (P7). Meanwhile people with a session go on to a portal, and others sign in rightly at the rate they would have on a quiet day, each
 * from a browser that was never here; asked for work, they do it like the script of the page. Says the figures and ends with 1 when one is
 * missed. Nothing leaves this machine, and all of it ends after the seconds given.
 *
 * `npm run drill:overload -- --engine postgres-redis [--seconds 60] [--hash-kib 19456]`: three times as many right passwords as the server
 * can take, on PostgreSQL and Redis (overload-apart.ts).
 */

const { values } = parseArgs({
  options: {
    engine: { type: 'string', default: 'sqlite' },
    seconds: { type: 'string' },
    'hash-kib': { type: 'string', default: '19456' },
  },
});
const DURATION_MS = Number(values.seconds ?? 20) * 1000;
const ATTACKERS = 200;
const FLOOD = 10;
const PEOPLE = 64;
const SSO_PER_SECOND = 20;
const SSO_LANES = 16;
const GOOD_LANES = 24;
/** Of what the server can hash: on a quiet day it is not busy all the time. */
const NOMINAL_SHARE = 0.4;
const TRIES_MAX = 5;

const SSO_P99_MS = 200;
const GOOD_SHARE = 0.8;
const REFUSED_P99_MS = 100;
const GROWN_BYTES_MAX = 256 * 1024 * 1024;

const SETTINGS = {
  TONGBAN_PASSWORD_MEMORY_KIB: values['hash-kib'],
  TONGBAN_PASSWORD_ITERATIONS: '2',
  TONGBAN_DEFENCE_PROOF_AFTER_ADDRESS: '10',
  TONGBAN_DEFENCE_PROOF_AFTER_NETWORK: '100',
  TONGBAN_DEFENCE_PROOF_AFTER_MINUTE: '300',
  TONGBAN_DEFENCE_PROOF_AFTER_WAITING: '16',
  // Good browsers have processors of their own, which here are the server's.
  TONGBAN_DEFENCE_PROOF_WORK: '2000',
};

function solve(puzzle: string): string {
  const { challenge, salt, signature, maxnumber } = JSON.parse(puzzle) as Record<string, string> & {
    maxnumber: number;
  };
  for (let number = 0; number <= maxnumber; number += 1)
    if (createHash('sha256').update(`${salt}${number}`).digest('hex') === challenge)
      return btoa(JSON.stringify({ algorithm: 'SHA-256', challenge, number, salt, signature }));
  throw new Error('a puzzle without an answer');
}

const comingFrom = (server: Drilled, address: string): Browser =>
  new Browser(server.origin, new Connection(server.origin, 30_000, address));

interface Tally {
  asked: number;
  verdicts: number;
  refusedMs: number[];
  others: number;
}

/** One address that guesses: a page once, then one wrong password after the other. */
async function attacker(server: Drilled, at: number, tally: Tally): Promise<Operation> {
  const browser = comingFrom(server, `127.0.0.${2 + at}`);
  const page = await signInPage(server, browser);
  let guesses = 0;
  return async () => {
    guesses += 1;
    const { identifier } = inventedPerson((at * 31 + guesses) % PEOPLE);
    const fields = { ...page.hidden, identifier, password: `guess ${at} ${guesses}` };
    const startedMs = monotonicMs();
    const { status } = await browser.post(page.action, fields);
    tally.asked += 1;
    if (status === 401) tally.verdicts += 1;
    else if (status === 429 || status === 503) tally.refusedMs.push(monotonicMs() - startedMs);
    else tally.others += 1;
    return 1;
  };
}

/** Somebody who knows their password, in a browser that was never here. True when they were let in. */
async function goodSignIn(server: Drilled, lane: number, n: number): Promise<boolean> {
  const browser = comingFrom(server, `127.0.${1 + (lane % 100)}.${1 + (n % 250)}`);
  const { identifier, password } = inventedPerson(PEOPLE + ((lane * 97 + n) % PEOPLE));
  try {
    let page = await signInPage(server, browser);
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const proof: Record<string, string> = page.puzzle === undefined ? {} : { proof: solve(page.puzzle) };
      const answer = await browser.post(page.action, { ...page.hidden, ...proof, identifier, password });
      // The page of the next question, or a redirect to it.
      if (answer.status === 200 || answer.status === 303) return true;
      if (answer.status !== 429 && answer.status !== 503) return false;
      page = readSignInPage(answer.text);
    }
    return false;
  } finally {
    browser.connection.close();
  }
}

function goodLanes(server: Drilled): {
  readonly lanes: readonly Operation[];
  readonly let: { in: number; out: number };
} {
  const counted = { in: 0, out: 0 };
  const lanes = Array.from({ length: GOOD_LANES }, (_, lane): Operation => {
    let n = 0;
    return async () => {
      n += 1;
      if (await goodSignIn(server, lane, n)) counted.in += 1;
      else counted.out += 1;
      return 1;
    };
  });
  return { lanes, let: counted };
}

const prepareAll = async (count: number, prepare: (at: number) => Promise<Operation>): Promise<Operation[]> => {
  const all: Operation[] = [];
  for (let at = 0; at < count; at += 1) all.push(await prepare(at));
  return all;
};

const say = (what: string, figure: string, holds?: boolean): void => {
  process.stdout.write(`${what.padEnd(46)} ${figure}${holds === undefined ? '' : holds ? '  holds' : '  MISSED'}\n`);
};

/** An SSO lane of `scenarios.ts` signs in once first; the people of that portal are ours. */
const withPeople = (server: Drilled): Drilled => ({
  ...server,
  process: server.process,
  people: Array.from({ length: PEOPLE }, (_, n) => inventedPerson(2 * PEOPLE + n)),
});

async function drill(): Promise<boolean> {
  const server = withPeople(await startDrilled([3 * PEOPLE, 0, 0], SETTINGS));
  try {
    const signedIn = await prepareAll(SSO_LANES, (lane) => singleSignOn(server, lane));
    const quiet = goodLanes(server);
    const capacity = (await closedLoop(server.process.pid, quiet.lanes.slice(0, 6), DURATION_MS / 2))
      .operationsPerSecond;
    const nominal = Math.max(1, capacity * NOMINAL_SHARE);
    const idleMs = await openLoop(signedIn, SSO_PER_SECOND, DURATION_MS / 4);
    const before = residentBytes(server.process.pid);
    say(
      'load of the machine',
      loadavg()
        .map((load) => load.toFixed(1))
        .join(' '),
    );
    say(
      'good sign-ins the server can do',
      `${capacity.toFixed(1)} a second; nominal ${nominal.toFixed(1)}, flood ${(capacity * FLOOD).toFixed(0)}`,
    );
    say(
      'SSO on a quiet server',
      `p50 ${quantile(idleMs, 0.5).toFixed(1)} ms, p99 ${quantile(idleMs, 0.99).toFixed(1)} ms`,
    );

    const tally: Tally = { asked: 0, verdicts: 0, refusedMs: [], others: 0 };
    const attackers = await prepareAll(ATTACKERS, (at) => attacker(server, at, tally));
    const flooded = goodLanes(server);
    let most = before;
    const watch = setInterval(() => {
      most = Math.max(most, residentBytes(server.process.pid));
    }, 250);
    const [ssoMs] = await Promise.all([
      openLoop(signedIn, SSO_PER_SECOND, DURATION_MS),
      openLoop(flooded.lanes, nominal, DURATION_MS),
      openLoop(attackers, capacity * FLOOD, DURATION_MS),
    ]);
    clearInterval(watch);
    const ssoP99 = quantile(ssoMs, 0.99);
    const share = flooded.let.in / (flooded.let.in + flooded.let.out);
    const refusedP99 = quantile(tally.refusedMs, 0.99);
    const verdicts: readonly boolean[] = [
      ssoP99 < SSO_P99_MS,
      share >= GOOD_SHARE,
      refusedP99 < REFUSED_P99_MS,
      most - before < GROWN_BYTES_MAX,
      tally.others === 0,
    ];
    say(
      'SSO under the flood',
      `p50 ${quantile(ssoMs, 0.5).toFixed(1)} ms, p99 ${ssoP99.toFixed(1)} ms, wanted < ${SSO_P99_MS}`,
      verdicts[0],
    );
    say(
      'good sign-ins let in',
      `${flooded.let.in} of ${flooded.let.in + flooded.let.out}, ${(share * 100).toFixed(0)} %, wanted >= 80 %`,
      verdicts[1],
    );
    say(
      'wrong passwords',
      `${tally.asked} sent, ${tally.verdicts} judged, ${tally.refusedMs.length} turned away, ${tally.others} answered otherwise`,
      verdicts[4],
    );
    say(
      'turned away within',
      `p50 ${quantile(tally.refusedMs, 0.5).toFixed(1)} ms, p99 ${refusedP99.toFixed(1)} ms, wanted < ${REFUSED_P99_MS}`,
      verdicts[2],
    );
    say('memory', `${(before / 1e6).toFixed(0)} MB before, ${(most / 1e6).toFixed(0)} MB at most`, verdicts[3]);
    return verdicts.every(Boolean);
  } finally {
    await server.stop();
  }
}

endServersOnSignal();
if (values.engine === 'postgres-redis') {
  process.exit(await drillOverloadApart(Number(values.seconds ?? 60) * 1000, Number(values['hash-kib'])));
}
if (values.engine !== 'sqlite') throw new Error('--engine is sqlite or postgres-redis');
process.exit((await drill()) ? 0 : 1);
