import { monotonicMs } from '../src/shared/clock.ts';
import { makeAppStore } from './app-people.ts';
import { Browser } from './browser.ts';
import { Connection } from './connection.ts';
import type { Operation } from './measure.ts';
import { NO_HASH, type PeerName, type Running, type Started, startPeer } from './peers.ts';
import type { Row } from './report.ts';
import { CONNECTIONS, measureScenario, type Pace } from './rounds.ts';
import { CONSENT, type Scenario, signIn } from './scenarios.ts';
import { authorizationPath, authorize, memberOf, redeem } from './sign-in.ts';

/*
 * What two factors cost. The bare library has none, so both rows stand beside its plain sign-in with a password, whose hash costs
 * nothing on either side. A code of an app counts once in half a minute, so the operations go round many people.
 */

const THIRD_LEVEL = 'urn:tongban:acr:3';
/** The demand is essential (OpenID Connect Core 5.5.1.1): no answer below that level is right. */
const AT_THIRD_LEVEL = {
  claims: JSON.stringify({ id_token: { acr: { essential: true, value: THIRD_LEVEL } } }),
} as const;
const REMARK = 'beside a plain sign-in';
/** More step-ups a second than a server has been seen to answer: so many people are signed in ahead of each round. */
const STEP_UPS_PER_SECOND_MAX = 600;
/** How many times as long as the round itself may be spent on that; a slow server then has fewer of them to answer. */
const READYING_ROUNDS_MAX = 4;

export const STRONG_SCENARIOS: readonly Scenario[] = [
  {
    name: 'sign-in with TOTP',
    hash: 'none',
    remark: REMARK,
    prepare: (server, lane) => (server.name === 'ours' ? signInWithApp(server, lane) : signIn(server, lane)),
  },
  {
    name: 'step-up from level 2 to 3',
    hash: 'none',
    remark: REMARK,
    prepare: (server, lane) => (server.name === 'ours' ? stepUp(server, lane) : signIn(server, lane)),
  },
];

/** The people of a lane, one after the other and over again. */
function peopleOf(server: Running, lane: number): () => Running['people'][number] {
  const own = server.people.filter((_, at) => at % CONNECTIONS === lane);
  let next = 0;
  return () => own[next++ % own.length]!;
}

/** Throws unless the portal was told that two factors were shown. */
function expectThirdLevel(tokens: Parameters<typeof memberOf>[0]): void {
  const claims = Buffer.from(memberOf(tokens, 'id_token').split('.')[1]!, 'base64url').toString();
  if (!claims.includes(`"acr":"${THIRD_LEVEL}"`)) throw new Error(`not at the third level: ${claims}`);
}

/** A browser that was never here: password, code, consent, tokens. */
async function signInWithApp(server: Running, lane: number): Promise<Operation> {
  const browser = new Browser(server.origin);
  const next = peopleOf(server, lane);
  const start = authorizationPath(server, { prompt: 'consent', ...AT_THIRD_LEVEL });
  return async () => {
    browser.forget();
    const { code, requestCount } = await authorize(server, browser, start, next());
    expectThirdLevel(await redeem(server, browser.connection, code));
    return requestCount + 1;
  };
}

/** Somebody signed in by a password opens a portal that wants two factors: the code of their app, tokens. */
async function stepUp(server: Running, lane: number): Promise<Operation> {
  const connection = new Connection(server.origin);
  const next = peopleOf(server, lane);
  const start = authorizationPath(server, AT_THIRD_LEVEL);
  const signedIn: { readonly browser: Browser; readonly person: Running['people'][number] }[] = [];
  const ready = async (durationMs: number): Promise<void> => {
    const wanted = Math.ceil((STEP_UPS_PER_SECOND_MAX / CONNECTIONS) * (durationMs / 1000));
    const endMs = monotonicMs() + READYING_ROUNDS_MAX * durationMs;
    while (signedIn.length === 0 || (signedIn.length < wanted && monotonicMs() < endMs)) {
      const person = next();
      const browser = new Browser(server.origin, connection);
      await authorize(server, browser, authorizationPath(server, CONSENT), person);
      signedIn.push({ browser, person });
    }
  };
  const operate = async (): Promise<number> => {
    const one = signedIn.shift();
    if (one === undefined) throw new Error('a lane was not ended with its people');
    const { code, requestCount } = await authorize(server, one.browser, start, one.person);
    expectThirdLevel(await redeem(server, connection, code));
    return requestCount + 1;
  };
  return Object.assign(operate, { ready, isSpent: () => signedIn.length === 0 });
}

/** The rows of those scenarios that are wanted, on servers of their own. */
export async function measureStrongSignIns(
  scenarios: readonly Scenario[],
  peers: readonly PeerName[],
  pace: Pace,
): Promise<readonly Row[]> {
  if (scenarios.length === 0) return [];
  const store = await makeAppStore(pace.appPeopleCount);
  const servers: Started[] = [];
  try {
    const options = { hash: NO_HASH, peopleCount: pace.peopleCount };
    for (const peer of peers) servers.push(await startPeer(peer, peer === 'ours' ? { ...options, store } : options));
    const rows: Row[] = [];
    for (const scenario of scenarios) {
      process.stderr.write(`${scenario.name} ...\n`);
      rows.push(await measureScenario(scenario, servers, pace));
    }
    return rows;
  } finally {
    for (const server of servers) await server.stop();
    await store.remove();
  }
}
