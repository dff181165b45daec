import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { encryptSm2, readSm2PublicKey } from '../../src/crypto/sm2/sm2.ts';
import { answerTo } from './answers.ts';
import { type Caller, createGate, macOf } from './gate.ts';
import type { KeyStore } from './keys.ts';

/**
 * How the server behaves, so that everybody can see what happens then. `slow` answers after `slowMs`, `silent` never, `down` says 503;
 * the others lie: a signature over another digest, one by another key, one that is none, the first answer once more, an answer to
 * another question, one without its MAC, a clock an hour ahead, text that is no answer.
 */
export const MOODS = [
  'well',
  'slow',
  'silent',
  'down',
  'other-digest',
  'other-key',
  'malformed',
  'repeating',
  'mixed-up',
  'unproven',
  'skewed',
  'garbled',
] as const;
export type Mood = (typeof MOODS)[number];

export interface SignatureServerOptions {
  readonly keys: KeyStore;
  /** 0 lets the system choose. */
  readonly port: number;
  /** With it: requests carry a MAC of this caller, and so do answers. */
  readonly caller?: Caller;
  /** With it: only callers with a certificate of this authority are let in. PEM texts. */
  readonly mutualTls?: { readonly certificate: string; readonly key: string; readonly authority: string };
  readonly slowMs?: number;
}

export interface RunningServer {
  readonly url: string;
  /** May be set at any time. */
  mood: Mood;
  /** Requests since the start, as they came. */
  readonly asked: readonly { readonly path: string; readonly body: string }[];
  /** Connections since the start. */
  connections(): number;
  stop(): void;
}

const BODY_BYTES_MAX = 4_096;
const ASKED_MAX = 1_000;

/** A signature server as docs/signature-server.md describes it. Needs `caller`, `mutualTls` or both: nobody may ask unproven. */
export async function startSignatureServer(options: SignatureServerOptions): Promise<RunningServer> {
  const { caller, mutualTls, keys, slowMs = 2_000 } = options;
  if (caller === undefined && mutualTls === undefined) throw new Error('choose a shared key, mutual TLS or both');
  const gate = caller && createGate(caller);
  const asked: { readonly path: string; readonly body: string }[] = [];
  const state = { mood: 'well' as Mood, first: undefined as Made | undefined };

  const made = (path: string, nonce: string, body: string): Made => {
    if (caller === undefined || state.mood === 'unproven') return { body };
    const timestamp = String(Date.now() + (state.mood === 'skewed' ? 3_600_000 : 0));
    const { appId, sharedKey } = caller;
    return { body, timestamp, mac: macOf(sharedKey, 'ANSWER', { path, appId, timestamp, nonce, body }) };
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { url: path = '', headers, method } = request;
    const nonce = String(headers['x-svs-nonce'] ?? '');
    const body = await bodyOf(request);
    if (asked.length < ASKED_MAX) asked.push({ path, body: body ?? '' });
    if (state.mood === 'silent') return;
    if (state.mood === 'down') return say(response, 503, { body: '{}' });
    if (state.mood === 'garbled') return say(response, 200, made(path, nonce, '<html>welcome</html>'));
    if (state.mood === 'slow') await new Promise((resolve) => setTimeout(resolve, slowMs));
    if (method !== 'POST' || body === undefined) return say(response, 400, { body: '{"error":"request"}' });
    const refusal = gate?.(path, headers, body);
    if (refusal !== undefined) return say(response, 401, { body: JSON.stringify({ error: refusal }) });
    const answer = answerTo(path, lied(parsed(body), state.mood), keys);
    if (answer === undefined) return say(response, 400, { body: '{"error":"question"}' });
    const told = {
      ...answer,
      ...(state.mood === 'mixed-up' && { requestId: 'somebody-elses-question' }),
      ...(state.mood === 'malformed' && { signature: '00'.repeat(64), key: '00'.repeat(129) }),
      ...(state.mood === 'other-key' && path === '/unwrap' && otherKey(body)),
    };
    const said = made(path, nonce, JSON.stringify(told));
    if (path === '/sign' || path === '/unwrap') state.first ??= said;
    say(response, 200, state.mood === 'repeating' ? (state.first ?? said) : said);
  };
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    handle(request, response).catch(() => response.destroy());
  };

  const server = mutualTls
    ? createHttpsServer(
        {
          cert: mutualTls.certificate,
          key: mutualTls.key,
          ca: mutualTls.authority,
          requestCert: true,
          rejectUnauthorized: true,
        },
        listener,
      )
    : createHttpServer(listener);
  let connections = 0;
  server.on('connection', () => {
    connections += 1;
  });
  server.listen(options.port, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `${mutualTls ? 'https' : 'http'}://127.0.0.1:${port}`,
    asked,
    connections: () => connections,
    get mood() {
      return state.mood;
    },
    set mood(mood: Mood) {
      state.mood = mood;
    },
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}

interface Made {
  readonly body: string;
  readonly timestamp?: string;
  readonly mac?: string;
}

/** What is signed in the place of what was asked. */
function lied(question: unknown, mood: Mood): unknown {
  const asked = Object(question) as Readonly<Record<string, unknown>>;
  if (mood === 'other-digest') return { ...asked, digest: '5a'.repeat(32) };
  if (mood === 'other-key' && 'digest' in asked) return { ...asked, keyId: asked.keyId === '1' ? '2' : '1' };
  return question;
}

/** Another master key than the one that was asked for, properly encrypted. */
function otherKey(body: string): { readonly key?: string } {
  const { to } = Object(parsed(body)) as { readonly to?: string };
  const key = readSm2PublicKey(Buffer.from(String(to), 'hex'));
  return { key: encryptSm2(Buffer.alloc(32, 0x5a), key).toString('hex') };
}

async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function say(response: ServerResponse, status: number, { body, timestamp, mac }: Made): void {
  response
    .writeHead(status, {
      'content-type': 'application/json',
      ...(timestamp === undefined ? {} : { 'x-svs-timestamp': timestamp }),
      ...(mac === undefined ? {} : { 'x-svs-mac': mac }),
    })
    .end(body);
}
