import { connect, type Socket } from 'node:net';
import test from 'ava';
import { loadConfig } from '../src/config/load.ts';
import { createMetrics } from '../src/monitoring/metrics.ts';
import { createNetworks } from '../src/monitoring/networks.ts';
import { startPrivatePort } from '../src/monitoring/private-port.ts';
import { type Verdict, verdictOf } from '../src/monitoring/readiness.ts';
import { parseExposition } from './support/exposition.ts';
import { startNode } from './support/monitored.ts';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const verdictAt = async (url: string): Promise<Verdict & { readonly code: number }> => {
  const answer = await fetch(`${url}/readyz`);
  return { ...((await answer.json()) as Verdict), code: answer.status };
};

/** Sends text as it is from an address of the loopback network; resolves with all that comes until the other side hangs up. */
function speak(port: number, text: string, localAddress = '127.0.0.1'): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect({ port, host: '127.0.0.1', localAddress }, () => void socket.write(text));
    socket.setTimeout(20_000, () => socket.destroy(new Error('the server did not hang up')));
    socket.on('data', (chunk) => {
      answer += chunk.toString();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ECONNRESET' ? undefined : reject(error)));
    socket.on('close', () => resolve(answer));
  });
}

test('H3 metrics and health are on the private port, in full, and the answer names no version', async (t) => {
  const node = await startNode(t);
  node.requests.count('token', 'POST', 200, 12);
  node.events.count({ type: 'sign-in.succeeded', details: { amr: ['pwd'] } });
  const answer = await fetch(`${node.url}/metrics`);
  t.is(answer.status, 200);
  t.is(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  t.is(answer.headers.get('cache-control'), 'no-store');
  t.is(answer.headers.get('server'), null);
  const seen = parseExposition(await answer.text());
  t.is(seen.value('tongban_http_requests_total', { route: 'token', method: 'POST', status: '200' }), 1);
  t.is(seen.value('tongban_sign_ins_total', { outcome: 'succeeded', factor: 'password' }), 1);
  t.is(seen.value('tongban_readiness', { check: 'database' }), 0);
  const alive = await fetch(`${node.url}/healthz`);
  t.is(alive.status, 200);
  t.is(((await alive.json()) as { status: string }).status, 'alive');
  const verdict = await verdictAt(node.url);
  t.is(verdict.code, 200);
  t.is(verdict.status, 'ready', JSON.stringify(verdict));
  t.deepEqual(Object.keys(verdict.checks).sort(), [
    'certificates',
    'database',
    'disk',
    'draining',
    'feeds',
    'hashQueue',
    'keys',
    'ledger',
  ]);
});

test('H3 an address outside the networks gets a bare 403 and a closed connection, whatever it asks', async (t) => {
  const node = await startNode(t, { monitoring: { allowedNetworks: ['127.0.0.1/32', 'fd00::/8'] } });
  for (const path of ['/metrics', '/healthz', '/readyz', '/nothing']) {
    const answer = await speak(node.port.port, `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`, '127.0.0.2');
    t.is(answer, 'HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n', path);
  }
  const forwarded = 'GET /metrics HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 127.0.0.1\r\n\r\n';
  t.regex(await speak(node.port.port, forwarded, '127.0.0.2'), /^HTTP\/1\.1 403 /);
  t.is((await fetch(`${node.url}/healthz`)).status, 200);
});

test.serial('R17 strangers who say nothing do not take the few connections away from those who may ask', async (t) => {
  const node = await startNode(t, { monitoring: { allowedNetworks: ['127.0.0.1/32'] } });
  const silent = Array.from({ length: 200 }, () =>
    connect({ port: node.port.port, host: '127.0.0.1', localAddress: '127.0.0.3', allowHalfOpen: true }),
  );
  let told = 0;
  for (const socket of silent) {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      told += 1;
    });
  }
  t.teardown(() => silent.forEach((socket) => void socket.destroy()));
  for (let n = 0; n < 10; n += 1) {
    t.is((await fetch(`${node.url}/healthz`, { headers: { connection: 'close' } })).status, 200);
    await pause(20);
  }
  t.true(told > 0 && told < 100, `${told} of them were told 403, the others were hung up on`);
});

test.serial('R17 no more than 64 connections are served at once, and one that sends nothing is cut', async (t) => {
  const node = await startNode(t);
  const open: Socket[] = [];
  t.teardown(() => open.forEach((socket) => void socket.destroy()));
  let cut = 0;
  const closed = Array.from({ length: 80 }, () => {
    const socket = connect(node.port.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('GET /healthz HTTP/1.1\r\n');
    open.push(socket);
    // What the server says before it hangs up must be read, or the end is never seen.
    socket.resume();
    return new Promise<void>((resolve) => {
      socket.on('close', () => {
        cut += 1;
        resolve();
      });
    });
  });
  for (let n = 0; n < 150 && cut < 16; n += 1) await pause(20);
  await pause(100);
  t.is(cut, 16);
  const began = performance.now();
  await Promise.all(closed);
  t.true(performance.now() - began < 9_000, 'headers that never end are given five seconds');
  t.is((await fetch(`${node.url}/healthz`)).status, 200);
});

test('H3 only GET and HEAD without a body are answered, and nothing of a request comes back', async (t) => {
  const node = await startNode(t);
  const ask = (line: string, headers = '', body = '') =>
    speak(node.port.port, `${line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}\r\n${body}`);
  for (const method of ['POST', 'PUT', 'DELETE', 'TRACE', 'OPTIONS', 'PATCH', 'PROPFIND']) {
    const answer = await ask(`${method} /metrics`, 'X-Secret: abc\r\n');
    t.regex(answer, /^HTTP\/1\.1 405 /, method);
    t.false(answer.includes('abc'));
  }
  t.regex(await ask('GET /metrics', 'Content-Length: 3\r\n', 'abc'), /^HTTP\/1\.1 400 /);
  t.regex(await ask('GET /metrics', 'Transfer-Encoding: chunked\r\n', '0\r\n\r\n'), /^HTTP\/1\.1 400 /);
  t.regex(await ask(`GET /${'a'.repeat(600)}`), /^HTTP\/1\.1 414 /);
  t.regex(await ask('GET /healthz', `X-Long: ${'a'.repeat(9000)}\r\n`), /^HTTP\/1\.1 431 /);
  for (const path of ['/', '/metrics/', '/METRICS', '/metrics?x=<script>', '/../metrics', '//metrics', '/ledger/x']) {
    const answer = await ask(`GET ${path}`);
    t.regex(answer, /^HTTP\/1\.1 404 /, path);
    t.regex(answer, /\r\n\r\nnot found\n$/, path);
  }
  const head = await ask('HEAD /healthz');
  t.regex(head, /^HTTP\/1\.1 200 /);
  t.regex(head, /content-length: [1-9]/i);
  t.regex(head, /\r\n\r\n$/);
});

test('H3 what breaks behind the port is told to the operator and not to who asked', async (t) => {
  const heard: unknown[] = [];
  const node = await startNode(t, {
    node: {
      ledgerFiles: (path) => Promise.reject(new Error(`no tile ${path} in /var/lib`)),
      onFault: (error) => heard.push(error),
    },
  });
  const answer = await fetch(`${node.url}/ledger/checkpoint`);
  t.is(answer.status, 500);
  t.is(await answer.text(), 'internal error\n');
  t.is(heard.length, 1);
});

test('the files of the ledger are handed out as they come, with the age they may be kept', async (t) => {
  const tile = new Uint8Array([0, 255, 10, 13]);
  const node = await startNode(t, {
    node: {
      ledgerFiles: async (path) =>
        path === '/ledger/tile/0/000'
          ? { status: 200, type: 'application/octet-stream', body: tile, cacheSeconds: 31_536_000 }
          : { status: 404, type: 'text/plain; charset=utf-8', body: 'not found\n', cacheSeconds: 0 },
    },
  });
  const answer = await fetch(`${node.url}/ledger/tile/0/000`);
  t.deepEqual(new Uint8Array(await answer.arrayBuffer()), tile);
  t.is(answer.headers.get('cache-control'), 'public, max-age=31536000');
  t.is((await fetch(`${node.url}/ledger/tile/0/001`)).status, 404);
});

test('a port that another program uses is an error at the start', async (t) => {
  const node = await startNode(t);
  const port = startPrivatePort({
    host: '127.0.0.1',
    port: node.port.port,
    allowedNetworks: [],
    metrics: createMetrics({}),
    readiness: async () => verdictOf({}),
  });
  await t.throwsAsync(port, { code: 'EADDRINUSE' });
});

test('networks hold the addresses of both families, mapped ones as what they are', (t) => {
  const inside = createNetworks(['10.0.0.0/8', '127.0.0.1/32', 'fd00::/8', '::1/128']);
  for (const address of ['10.255.0.1', '127.0.0.1', '::ffff:10.1.2.3', 'fd12::1', '::1', 'fd00::1%eth0'])
    t.true(inside(address), address);
  for (const address of ['11.0.0.1', '127.0.0.2', '::ffff:11.0.0.1', 'fe80::1', '::2', '', 'localhost', undefined])
    t.false(inside(address), String(address));
  t.false(createNetworks([])('127.0.0.1'));
});

test('the private port is off in demo and test, on the loopback interface in production, and never the public one', (t) => {
  const of = (env: Record<string, string>) => {
    const outcome = loadConfig({ env });
    return outcome.ok ? outcome.config.monitoring : outcome.faults.map(({ path }) => path);
  };
  t.like(of({}), { port: 0 });
  t.like(of({ TONGBAN_PROFILE: 'test' }), { port: 0 });
  t.deepEqual(of({ TONGBAN_PROFILE: 'production', TONGBAN_ISSUER: 'https://id.example' }), {
    host: '127.0.0.1',
    port: 9464,
    allowedNetworks: ['127.0.0.0/8', '::1/128'],
    certificateFiles: [],
    feedsFile: '',
  });
  t.deepEqual(of({ TONGBAN_PORT: '4000', TONGBAN_MONITORING_PORT: '4000' }), ['monitoring.port']);
  t.deepEqual(of({ TONGBAN_MONITORING_PORT: '3001' }), ['monitoring.port'], 'a sample portal has it');
  for (const network of [
    '10.0.0.0',
    '10.0.0.0/33',
    '0.0.0.0/0',
    'fd00::/129',
    'example/8',
    '10.0.0.0/8/8',
    'fe80::1%a/64',
  ])
    t.deepEqual(of({ TONGBAN_MONITORING_ALLOWED_NETWORKS: network }), ['monitoring.allowedNetworks.0'], network);
});
