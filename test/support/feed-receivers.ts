import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import type { ExecutionContext } from 'ava';
import { monotonicMs } from '../../src/shared/clock.ts';

const DEADLINE_MS = 30_000;

/** Waits until `done` holds; fails with `what` after half a minute. */
export async function until(done: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const startMs = monotonicMs();
  while (!(await done())) {
    if (monotonicMs() - startMs > DEADLINE_MS) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export interface SyslogReceiver {
  readonly port: number;
  /** All messages since the first start, as they came. */
  readonly messages: string[];
  /** The body of each message, as JSON. */
  bodies(): Record<string, unknown>[];
  stop(): Promise<void>;
  /** Listens again on the same port. */
  start(): Promise<void>;
}

/** A syslog server that reads octet-counted messages; `drop` ends every connection as soon as it is made. */
export async function syslogReceiver(
  t: ExecutionContext,
  options: { readonly tls?: TlsOptions; readonly drop?: () => boolean } = {},
): Promise<SyslogReceiver> {
  const messages: string[] = [];
  const sockets = new Set<Socket>();
  let server: Server | undefined;
  let port = 0;
  const take = (socket: Socket): void => {
    if (options.drop?.()) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    let pending = Buffer.alloc(0);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk]);
      for (;;) {
        const blank = pending.indexOf(0x20);
        const length = blank === -1 ? Number.NaN : Number(pending.subarray(0, blank).toString());
        if (!(pending.length >= blank + 1 + length)) return;
        messages.push(pending.subarray(blank + 1, blank + 1 + length).toString('utf8'));
        pending = pending.subarray(blank + 1 + length);
      }
    });
  };
  const start = async (): Promise<void> => {
    server = options.tls === undefined ? createServer(take) : createTlsServer(options.tls, take);
    server.on('tlsClientError', () => undefined);
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  };
  const stop = async (): Promise<void> => {
    const closing = server;
    server = undefined;
    if (closing === undefined) return;
    const closed = once(closing, 'close');
    closing.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  await start();
  t.teardown(stop);
  const bodies = () =>
    messages.map((message) => JSON.parse(message.split('\ufeff')[1] ?? '') as Record<string, unknown>);
  return { port, messages, bodies, start, stop };
}

export interface WebhookReceiver {
  readonly origin: string;
  /** The events of the batches that were answered with 2xx, in order. */
  readonly events: Record<string, unknown>[];
  readonly ids: string[];
  /** The size of each body. */
  readonly sizes: number[];
  readonly badSignatures: () => number;
}

type Answer = (batch: readonly Record<string, unknown>[]) => number | Promise<number>;

/** A receiver of webhooks that checks every signature and answers with the status `answer` chooses. */
export async function webhookReceiver(t: ExecutionContext, secret: string, answer: Answer): Promise<WebhookReceiver> {
  const events: Record<string, unknown>[] = [];
  const ids: string[] = [];
  const sizes: number[] = [];
  let bad = 0;
  const server = createHttpServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString('utf8');
    const { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': signature } = request.headers;
    if (signature !== `sm3=${createHmac('sm3', secret).update(`${id}.${time}.${body}`).digest('hex')}`) bad += 1;
    const batch = JSON.parse(body) as Record<string, unknown>[];
    const status = await answer(batch);
    if (status < 300) {
      events.push(...batch);
      ids.push(String(id));
      sizes.push(Buffer.byteLength(body));
    }
    response.writeHead(status).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { origin, events, ids, sizes, badSignatures: () => bad };
}

/** Files of a small authority in `folder`: ca.crt, and certificate and key of `server` and `client`. */
export function makeCertificates(folder: string): (name: string) => Buffer {
  const run = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const key = (name: string) => run('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', `${name}.key`);
  key('ca');
  run('req', '-x509', '-new', '-key', 'ca.key', '-days', '2', '-subj', '/CN=test authority', '-out', 'ca.crt');
  for (const name of ['server', 'client']) {
    key(name);
    run(
      'req',
      '-new',
      '-key',
      `${name}.key`,
      '-subj',
      `/CN=${name}`,
      '-addext',
      'subjectAltName=DNS:localhost,IP:127.0.0.1',
      '-out',
      `${name}.csr`,
    );
    run(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      'ca.crt',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '2',
      '-copy_extensions',
      'copy',
      '-out',
      `${name}.crt`,
    );
  }
  return (name) => readFileSync(join(folder, name));
}
