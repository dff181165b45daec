import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { monotonicMs } from '../src/shared/clock.ts';
import { payloadOf, ROOMY } from '../test/support/portal-calls.ts';
import { freePort, redemption, startServer, type TestPortal, type TestServer } from '../test/support/server.ts';
import { quantile } from './measure.ts';
import { inventedPerson } from './peers.ts';

/*
 * `npm run drill:logout -- [--seconds 120] [--people 10] [--rounds 4]`: people sign in to three portals and out again, several times each. One
 * portal is up, one refuses connections and one takes the notice and never answers; after `seconds` both come up. Every notice must reach
 * its portal, those about one person in their order, the portal that is up within a second, and nobody waits at the sign-out page.
 */

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '120' },
    people: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '4' },
  },
});
const DOWN_MS = Number(values.seconds) * 1000;
const PEOPLE = Number(values.people);
const ROUNDS = Number(values.rounds);
/** A dead portal is tried every five minutes at the latest, and then has all that waited within this. */
const CATCH_UP_MS = 330_000;
const SIGN_OUT_MS = 1000;
const UP_P99_MS = 1000;

const personOf = (n: number) => {
  const { identifier, name } = inventedPerson(n);
  return { idNumber: identifier, name };
};

interface Receiver {
  readonly name: 'up' | 'refusing' | 'silent';
  readonly port: number;
  readonly told: Map<string, number>;
  readonly order: string[];
  answers: boolean;
  server: Server | undefined;
}

interface Leaving {
  readonly person: number;
  readonly sids: Readonly<Record<Receiver['name'], string>>;
  readonly atMs: number;
  readonly tookMs: number;
}

async function open(receiver: Receiver): Promise<void> {
  const server = createServer((request, response) => take(receiver, request, response));
  server.listen(receiver.port, '127.0.0.1');
  await once(server, 'listening');
  receiver.server = server;
}

function take(receiver: Receiver, request: IncomingMessage, response: ServerResponse): void {
  let body = '';
  request.on('data', (chunk: Buffer) => {
    body += chunk.toString();
  });
  request.on('end', () => {
    // What is never answered is not taken in.
    if (!receiver.answers) return;
    const sid = String(payloadOf(new URLSearchParams(body).get('logout_token')).sid);
    if (!receiver.told.has(sid)) receiver.order.push(sid);
    receiver.told.set(sid, receiver.told.get(sid) ?? monotonicMs());
    response.writeHead(200).end();
  });
}

async function signInAndOut(
  server: TestServer,
  portals: Readonly<Record<Receiver['name'], TestPortal>>,
  person: number,
): Promise<Leaving> {
  const browser = server.browser();
  const sids: Record<string, string> = {};
  for (const [name, portal] of Object.entries(portals)) {
    const callback = await server.signIn(browser, portal, { identifier: personOf(person).idNumber });
    const { body } = await server.token(portal, redemption(callback));
    sids[name] = String(payloadOf(body.id_token).sid);
  }
  await browser.get('/session/end');
  const atMs = monotonicMs();
  await browser.submit({ logout: 'yes' }, '/session/end/confirm');
  return { person, sids: sids as Leaving['sids'], atMs, tookMs: monotonicMs() - atMs };
}

/** Pairs of one person that came in another order than they were sent. */
function turnedAround(leavings: readonly Leaving[], { name, order }: Receiver): number {
  const place = new Map(order.map((sid, at) => [sid, at]));
  let turned = 0;
  for (let person = 0; person < PEOPLE; person += 1) {
    const places = leavings
      .filter((leaving) => leaving.person === person)
      .map(({ sids }) => place.get(sids[name]) ?? -1);
    for (let at = 1; at < places.length; at += 1) if (places[at]! < places[at - 1]!) turned += 1;
  }
  return turned;
}

const receivers = await Promise.all(
  (['up', 'refusing', 'silent'] as const).map(
    async (name): Promise<Receiver> => ({
      name,
      port: await freePort(),
      told: new Map(),
      order: [],
      answers: name === 'up',
      server: undefined,
    }),
  ),
);
const [up, refusing, silent] = receivers as [Receiver, Receiver, Receiver];
await open(up);
await open(silent);
const server = await startServer(undefined, {
  ...ROOMY,
  outbound: { allowedOrigins: receivers.map(({ port }) => `http://127.0.0.1:${port}`) },
});
const failures: string[] = [];
const expect = (holds: boolean, sentence: string): void => {
  process.stdout.write(`${holds ? 'held  ' : 'MISSED'}  ${sentence}\n`);
  if (!holds) failures.push(sentence);
};
try {
  for (let n = 0; n < PEOPLE; n += 1) await server.addPerson(personOf(n));
  const portals = {} as Record<Receiver['name'], TestPortal>;
  for (const { name, port } of receivers) {
    portals[name] = await server.addPortal({
      client_name: name,
      backchannel_logout_uri: `http://127.0.0.1:${port}/logout`,
      backchannel_logout_session_required: true,
    });
  }
  const startedMs = monotonicMs();
  const leavings: Leaving[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    for (let person = 0; person < PEOPLE; person += 1) leavings.push(await signInAndOut(server, portals, person));
    process.stdout.write(`round ${round + 1} of ${ROUNDS}: ${leavings.length} people signed out of 3 portals\n`);
    await pause(Math.max(0, startedMs + ((round + 1) * DOWN_MS) / ROUNDS - monotonicMs()));
  }
  await open(refusing);
  for (const receiver of receivers) receiver.answers = true;
  const backMs = monotonicMs();
  const isTold = (receiver: Receiver): boolean => leavings.every(({ sids }) => receiver.told.has(sids[receiver.name]));
  while (!receivers.every(isTold) && monotonicMs() - backMs < CATCH_UP_MS) await pause(200);
  const seconds = (ms: number): string => (ms / 1000).toFixed(1);
  const delays = leavings.map(({ sids, atMs }) => (up.told.get(sids.up) ?? Number.POSITIVE_INFINITY) - atMs);
  const slowest = Math.max(...leavings.map(({ tookMs }) => tookMs));
  process.stdout.write(`portals were down for ${seconds(backMs - startedMs)} s\n`);
  expect(slowest < SIGN_OUT_MS, `a sign-out took ${Math.round(slowest)} ms at most`);
  const upP99 = quantile(delays, 0.99);
  expect(upP99 < UP_P99_MS, `the portal that was up was told within ${Math.round(upP99)} ms (p99)`);
  for (const receiver of receivers) {
    const last = Math.max(backMs, ...receiver.told.values()) - backMs;
    expect(
      isTold(receiver),
      `${receiver.name}: ${receiver.told.size} of ${leavings.length} notices, the last ${seconds(last)} s after it was back`,
    );
    const turned = turnedAround(leavings, receiver);
    expect(turned === 0, `${receiver.name}: ${turned} notices about one person in another order`);
  }
  const settled = async (): Promise<boolean> =>
    (await server.events('logout.delivered')).length === leavings.length * receivers.length;
  for (const giveUpMs = monotonicMs() + 5000; !(await settled()) && monotonicMs() < giveUpMs; ) await pause(100);
  expect(await settled(), `the ledger tells of ${(await server.events('logout.delivered')).length} deliveries`);
} finally {
  await server.stop();
  for (const { server: listening } of receivers) {
    listening?.closeAllConnections();
    listening?.close();
  }
}
process.exitCode = failures.length === 0 ? 0 : 1;
