import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createSoftwareSm2Signer } from '../../src/crypto/sm2-software-signer.ts';
import { type Authorities, answerTo } from './answers.ts';
import { answerText, type Caller, createGate } from './signatures.ts';

/**
 * How the server behaves, so that everybody can see what happens then. `slow` answers after `slowMs`, `silent` never; `down` says 503;
 * the others lie: without a signature, with one of another message, with a clock an hour ahead, with the first answer once more,
 * to another question, as text that is no answer, endlessly, or from another address.
 */
export const MOODS = [
  'well',
  'slow',
  'silent',
  'down',
  'unsigned',
  'forged',
  'skewed',
  'repeating',
  'mixed-up',
  'garbled',
  'oversized',
  'redirecting',
] as const;
export type Mood = (typeof MOODS)[number];

export interface RegisterServerOptions {
  readonly authorities: Authorities;
  /** 0 lets the system choose. */
  readonly port: number;
  /** With it: requests must be signed by this caller, and answers are signed with the key (64 hexadecimal digits). */
  readonly sm2?: { readonly caller: Caller; readonly privateKeyHex: string };
  /** With it: only callers with a certificate of this authority are let in. PEM texts. */
  readonly mutualTls?: { readonly certificate: string; readonly key: string; readonly authority: string };
  readonly slowMs?: number;
}

export interface RegisterServer {
  readonly url: string;
  /** May be set at any time. */
  mood: Mood;
  /** Questions that were answered or refused since the start. */
  asked(): number;
  stop(): Promise<void>;
}

const BODY_BYTES_MAX = 16_384;

/** A register adapter as docs/registers.md describes it. Needs `sm2`, `mutualTls` or both: nobody may ask unproven. */
export async function startRegisterServer(options: RegisterServerOptions): Promise<RegisterServer> {
  const { sm2, mutualTls, slowMs = 2_000 } = options;
  if (sm2 === undefined && mutualTls === undefined) throw new Error('choose sm2, mutual TLS or both');
  const signer = sm2 && createSoftwareSm2Signer(sm2.privateKeyHex);
  const gate = sm2 && createGate(sm2.caller);
  const state = { mood: 'well' as Mood, asked: 0, first: undefined as Signed | undefined };

  const signed = async (nonce: string, body: string): Promise<Signed> => {
    const timestamp = String(Date.now() + (state.mood === 'skewed' ? 3_600_000 : 0));
    const appId = sm2?.caller.appId ?? '';
    const covered = state.mood === 'forged' ? body.replace('mismatch', 'match').concat(' ') : body;
    const message = Buffer.from(answerText({ status: 200, appId, timestamp, nonce, body: covered }));
    const signature = state.mood === 'unsigned' ? undefined : (await signer?.sign(message))?.toString('base64');
    return { body, timestamp, ...(signature === undefined ? {} : { signature }) };
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bodyOf(request);
    state.asked += 1;
    if (state.mood === 'silent') return;
    if (state.mood === 'down') return say(response, 503, { body: '{}' });
    if (state.mood === 'oversized') return say(response, 200, { body: JSON.stringify('x'.repeat(1_000_000)) });
    if (state.mood === 'garbled') return say(response, 200, await signed(nonceOf(request), '<html>welcome</html>'));
    if (state.mood === 'redirecting') return redirect(request, response);
    if (state.mood === 'slow') await new Promise((resolve) => setTimeout(resolve, slowMs));
    const refusal = body === undefined ? 'body' : gate?.(request.url ?? '', request.headers, body);
    if (body === undefined || refusal !== undefined || request.method !== 'POST') {
      return say(response, refusal === 'body' ? 413 : 401, { body: JSON.stringify({ error: refusal ?? 'method' }) });
    }
    const answer = await answerTo(request.url ?? '', parsed(body), options.authorities);
    if (answer === undefined) return say(response, 400, { body: '{"error":"question"}' });
    if (state.mood === 'mixed-up') Object.assign(answer, { requestId: 'somebody-elses-question' });
    const made = await signed(nonceOf(request), JSON.stringify(answer));
    state.first ??= made;
    say(response, 200, state.mood === 'repeating' ? state.first : made);
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
  server.listen(options.port, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `${mutualTls ? 'https' : 'http'}://127.0.0.1:${port}`,
    get mood() {
      return state.mood;
    },
    set mood(mood: Mood) {
      state.mood = mood;
    },
    asked: () => state.asked,
    async stop() {
      server.closeAllConnections();
      server.close();
      await signer?.close();
    },
  };
}

interface Signed {
  readonly body: string;
  readonly timestamp?: string;
  readonly signature?: string;
}

const nonceOf = ({ headers }: IncomingMessage): string => String(headers['x-register-nonce'] ?? '');

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

function say(response: ServerResponse, status: number, { body, timestamp, signature }: Signed): void {
  response
    .writeHead(status, {
      'content-type': 'application/json',
      ...(timestamp === undefined ? {} : { 'x-register-timestamp': timestamp }),
      ...(signature === undefined ? {} : { 'x-register-signature': signature }),
    })
    .end(body);
}

function redirect(request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(307, { location: `http://localhost:1${request.url ?? ''}` }).end();
}
