import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import type { Context, Next } from 'koa';
import { pino } from 'pino';
import { createCookieKeys } from '../../src/crypto/cookie-keys.ts';
import { createSealer } from '../../src/crypto/sealing.ts';
import { createFactors } from '../../src/factor-doors.ts';
import { createAttempts } from '../../src/factors/attempts.ts';
import { houseLadder, partnerVocabularies } from '../../src/ladder-doors.ts';
import { createFailures } from '../../src/ledger/flood.ts';
import { createEngine, type EngineSources } from '../../src/oidc/engine.ts';
import { createProtocolPages } from '../../src/oidc/pages.ts';
import { createPairwiseSub } from '../../src/oidc/pairwise.ts';
import { createSqlCounters } from '../../src/storage/sql-counters.ts';
import { engineKeys } from '../../src/token-doors.ts';
import { loadAssets } from '../../src/web/assets.ts';
import { createDocuments, createFront } from '../../src/web/front.ts';
import { createRenderer } from '../../src/web/render.ts';
import { createShell, createShowFault } from '../../src/web/shell.ts';
import type { Cleanup } from './product.ts';
import type { TestServer } from './server.ts';

const VIEWS = join(import.meta.dirname, '..', '..', 'views');
/** Long enough that a server takes what is written before and after for two packets. */
const PACKET_GAP_MS = 30;
/** What goes on by itself while the portals are asking. */
const BACKGROUND = /^(logout|ledger|server|watch|incident)\./;

/** What came back, without what differs from one answer to the next. */
export interface Answer {
  readonly status: string;
  readonly headers: readonly string[];
  readonly body: string;
  /** The ledger events the request has caused, without their time and the request's name. */
  readonly events: readonly string[];
}

export interface TwoWays {
  /**
   * Sends the same request (in so many packets) by both ways; where a request spends something, `twin` is like it and spends something
   * else. `byShortWay` says whether the first was answered shortly.
   */
  ask(
    packets: readonly string[],
    twin?: readonly string[],
  ): Promise<{ readonly short: Answer; readonly long: Answer; readonly byShortWay: boolean }>;
}

/** Two engines over the house of a running server, one with its short ways and one without, behind one more front of it. */
export async function openTwoWays(server: TestServer, cleanup: Cleanup): Promise<TwoWays> {
  const { house, issuer } = server;
  let isShort = true;
  let byShortWay = false;
  const { config } = house;
  const renderer = createRenderer({
    viewsDir: VIEWS,
    assets: loadAssets(join(VIEWS, 'assets')),
    branding: config.branding,
    hotline: config.support.hotline,
    secure: false,
  });
  const showFault = createShowFault(renderer, config);
  const signedOut = { remember: () => {}, progress: async () => [] };
  const shell = createShell(pino({ level: 'silent' }), showFault);
  const attempts = createAttempts({ counters: createSqlCounters(house.database), limits: config.limits });
  const sources: EngineSources = {
    ...house,
    recoveries: house.reaching.recoveries,
    ladder: houseLadder(house, createFactors(house, { attempts, wakeOutbox: () => {} })),
    scales: partnerVocabularies(config),
    // Every refusal written singly: the second of a pair is not to be counted with the first.
    failures: createFailures({
      ledger: house.ledger,
      write: (work) => house.database.write(work),
      singlesMax: Number.POSITIVE_INFINITY,
    }),
    pages: createProtocolPages({ ...house, renderer, showFault, signedOut }),
    signedOut,
    documents: createDocuments(config).renew(),
    cookieKeys: createCookieKeys(config.secrets.cookieKeys),
    dPoPNonceSecret: Buffer.alloc(32, 1),
    codeSealer: createSealer(Buffer.alloc(32, 9)),
    hintSealer: createSealer(Buffer.alloc(32, 3)),
    successionSecret: Buffer.alloc(32, 2),
    passwordIsOutdated: house.passwords.isOutdated,
    pairwiseSub: createPairwiseSub(Buffer.from(config.secrets.pairwiseSalt)),
    outboundFetch: () => Promise.reject(new Error('nobody is called here')),
    wakeOutbox: () => {},
    portalSecrets: { isShut: () => false, failed: async () => {} },
    reportError: () => {},
    routes: () => ({ owns: () => false, handle: (_ctx, next) => next() }),
    shell: async (ctx: Context, next: Next) => {
      await shell(ctx, next);
      // The library's router leaves its mark on what it answers; a short way names the page itself.
      byShortWay = ctx._matchedRouteName === undefined && ctx.state.page !== undefined;
    },
  };
  const keys = await engineKeys(house.keyring);
  const [long, short] = [false, true].map((shortWays) => createEngine({ ...sources, shortWays }, keys).listener);
  const front = createFront({
    config,
    documents: createDocuments(config),
    ready: async () => true,
    application: () => (isShort ? short : long) ?? (() => {}),
  });
  const twin = createServer(front).listen(0, '127.0.0.1');
  await once(twin, 'listening');
  cleanup.teardown(() => twin.close());
  const { port } = twin.address() as AddressInfo;
  const host = new URL(issuer).host;
  const send = async (packets: readonly string[]): Promise<Answer> => {
    const before = (await server.events()).length;
    const answer = await exchange(port, host, packets);
    const events = (await server.events()).slice(before).filter(({ type }) => !BACKGROUND.test(type));
    return { ...answer, events: events.map(({ ts: _ts, corr: _corr, ...told }) => withoutSalts(told)) };
  };
  return {
    async ask(packets, twin = packets) {
      isShort = true;
      byShortWay = false;
      const first = await send(packets);
      const outcome = { short: first, byShortWay };
      isShort = false;
      return { ...outcome, long: await send(twin) };
    },
  };
}

/** No two commitments to the same value are alike. */
const withoutSalts = (told: unknown): string => JSON.stringify(told).replace(/"c:[A-Za-z0-9+/=]{44}"/g, '"(sealed)"');

/** Sends raw packets, `{host}` replaced, and reads to the end: no client of ours tidies up what a stranger would send. */
async function exchange(port: number, host: string, packets: readonly string[]): Promise<Omit<Answer, 'events'>> {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  const closed = once(socket, 'close');
  for (const [at, packet] of packets.entries()) {
    if (at > 0) await new Promise((resolve) => setTimeout(resolve, PACKET_GAP_MS));
    socket.write(packet.replace('{host}', host));
  }
  await closed;
  const [head = '', ...rest] = text.split('\r\n\r\n');
  const [status = '', ...headers] = head.split('\r\n');
  const requestId = /^x-request-id: (.*)$/im.exec(head)?.[1] ?? ' ';
  return {
    status,
    headers: headers
      .map((line) => line.replace(/^[^:]*/, (name) => name.toLowerCase()))
      .filter((line) => !/^(date|x-request-id):/.test(line))
      .sort(),
    body: rest.join('\r\n\r\n').replaceAll(requestId, '(request)'),
  };
}
