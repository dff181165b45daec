import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { freshFolder, freshPlace, startProduct, tongban } from './support/product.ts';

/** On a warm machine of its own; one that is slower, or shared, takes no longer than so many starts of Node alone. */
const READY_MS_MAX = 2000;
const BARE_STARTS_MAX = 25;

/** How long Node takes here, in this moment, to start and do nothing; in milliseconds. */
function bareStartMs(): number {
  const startedMs = performance.now();
  spawnSync(process.execPath, ['-e', '0']);
  return performance.now() - startedMs;
}

/** Resolves with true when somebody listens there. */
function listens(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1000 });
    const answer = (heard: boolean) => () => {
      socket.destroy();
      resolve(heard);
    };
    socket.once('connect', answer(true)).once('error', answer(false)).once('timeout', answer(false));
  });
}

test.serial('a demonstration is ready within two seconds and says where to click and who can sign in', async (t) => {
  const place = await freshPlace(t);
  let product = await startProduct(t, place);
  const measured: { readonly readyMs: number; readonly bareMs: number }[] = [];
  const measure = (): boolean => {
    const now = { readyMs: product.readyAfterMs, bareMs: bareStartMs() };
    measured.push(now);
    return now.readyMs < Math.max(READY_MS_MAX, BARE_STARTS_MAX * now.bareMs);
  };
  let isQuick = measure();
  // Other work on the machine only ever adds: of three starts the quickest counts.
  while (!isQuick && measured.length < 3) {
    await product.end('SIGTERM');
    product = await startProduct(t, place);
    isQuick = measure();
  }
  for (const { readyMs, bareMs } of measured)
    t.log(`ready after ${readyMs} ms, Node alone after ${Math.round(bareMs)}`);
  t.true(isQuick);
  const said = product.said();
  for (const expected of [product.issuer, ...product.portals, '339900199001011014', '王小明', place.dataDir]) {
    t.true(said.includes(expected), expected);
  }
  const widths = new Set(said.trimEnd().split('\n').map(columns));
  t.is(widths.size, 1, 'the box is straight, Chinese characters counted as two columns');
  t.is((await fetch(`${product.portals[0]}/`)).status, 200);
  t.is(await product.end('SIGTERM'), 0, 'asked to stop, it ends in order');
});

/** Columns of a terminal, by the blocks of wide characters that occur in the box. */
const columns = (line: string): number =>
  [...line].reduce((sum, character) => sum + (/[\u4e00-\u9fff]/u.test(character) ? 2 : 1), 0);

test.serial('the server and its sample portals listen on the loopback interface only', async (t) => {
  const place = await freshPlace(t);
  await startProduct(t, place);
  const outside = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, scopeid }) => !internal && !scopeid)
    .map(({ address }) => address);
  t.log(outside.length === 0 ? 'no other interface here' : `asked ${outside.length} other addresses`);
  for (const port of [place.port, ...place.portalPorts]) {
    t.true(await listens('127.0.0.1', port));
    for (const host of outside) t.false(await listens(host, port), `${host}:${port}`);
  }
});

test.serial('H5 what the server writes belongs to its user alone, and no file holds a number in clear', async (t) => {
  const place = await freshPlace(t);
  const product = await startProduct(t, place);
  t.is(statSync(place.dataDir).mode & 0o077, 0);
  for (const name of readdirSync(place.dataDir)) {
    const bytes = await readFile(join(place.dataDir, name));
    for (const secret of ['339900199001011014', '王小明', 'one-login-for-all']) {
      t.false(bytes.includes(secret), `${name} holds ${secret}`);
    }
  }
  t.is(statSync(join(place.dataDir, 'secrets.json')).mode & 0o777, 0o600);
  await product.end('SIGTERM');
});

test('a port that another program uses is named, and the exit code is 1', async (t) => {
  const blocker = createServer();
  await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', resolve));
  t.teardown(() => blocker.close());
  const { port } = blocker.address() as { port: number };
  const ended = await tongban(['serve'], { TONGBAN_DATA_DIR: await freshFolder(t), TONGBAN_PORT: String(port) });
  t.is(ended.code, 1);
  t.is(ended.stderr.trim().split('\n').length, 1, ended.stderr);
  t.true(ended.stderr.includes(`port ${port}`) && ended.stderr.includes('TONGBAN_PORT'));
  t.is(ended.stdout, '');
});

test('a sample portal whose port is taken ends the start as well, and nothing keeps listening', async (t) => {
  const blocker = createServer();
  await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', resolve));
  t.teardown(() => blocker.close());
  const { port } = blocker.address() as { port: number };
  const place = await freshPlace(t);
  const ended = await tongban(['serve'], {
    TONGBAN_DATA_DIR: place.dataDir,
    TONGBAN_PORT: String(place.port),
    TONGBAN_DEMO_PORTS: `${place.portalPorts[0]},${port}`,
  });
  t.is(ended.code, 1);
  t.true(ended.stderr.includes(`port ${port}`) && ended.stderr.includes('TONGBAN_DEMO_PORTS'), ended.stderr);
  t.false(await listens('127.0.0.1', place.port));
});

test('a folder that cannot be written is named, and the exit code is 1', async (t) => {
  for (const dataDir of ['/proc/tongban', '/dev/null/tongban']) {
    const ended = await tongban(['serve'], { TONGBAN_DATA_DIR: dataDir });
    t.is(ended.code, 1, dataDir);
    t.true(ended.stderr.includes(dataDir), ended.stderr);
    t.false(ended.stderr.includes('    at '), 'no stack');
  }
});

test('H1 two mistakes in the configuration are told together, and the exit code is 2', async (t) => {
  const dataDir = await freshFolder(t);
  const ended = await tongban(['serve'], {
    TONGBAN_DATA_DIR: dataDir,
    TONGBAN_PORT: '70000',
    TONGBAN_SESION_IDLE_SECONDS: '600',
  });
  t.is(ended.code, 2);
  t.regex(ended.stderr, /port \(TONGBAN_PORT\)/);
  t.regex(ended.stderr, /TONGBAN_SESION_IDLE_SECONDS/);
});

test('H1 a demonstration that calls itself production is refused, with all reasons at once', async (t) => {
  const ended = await tongban(['serve'], {
    TONGBAN_PROFILE: 'production',
    TONGBAN_DATA_DIR: await freshFolder(t),
    TONGBAN_ISSUER: 'http://localhost:3000',
    TONGBAN_DEMO_PORTALS: 'true',
    TONGBAN_REGISTERS_POPULATION: 'sample',
  });
  t.is(ended.code, 2);
  for (const reason of [/https/, /demo\.portals/, /registers\.population/, /encryptionKey/]) {
    t.regex(ended.stderr, reason);
  }
  t.true(ended.stderr.trim().split('\n').length >= 4, 'one reason a line');
});

test('words that mean nothing get the usage and exit code 2', async (t) => {
  for (const args of [[], ['fly'], ['__proto__'], ['person', 'fly'], ['serve', '--fast'], ['config'], ['docs', 'x']]) {
    const ended = await tongban(args, { TONGBAN_DATA_DIR: await freshFolder(t) });
    t.is(ended.code, 2, args.join(' '));
    t.true(ended.stderr.length > 0);
    t.false(ended.stderr.includes('    at '), 'no stack');
  }
  t.is((await tongban(['help'], {})).code, 0);
});
