import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { freshFolder, freshPlace, startProduct, tongban } from './support/product.ts';
import { freePort } from './support/server.ts';

test('a health check asks the server of its settings, and says no where there is none', async (t) => {
  const place = await freshPlace(t);
  const env = { TONGBAN_PROFILE: 'demo', TONGBAN_DATA_DIR: place.dataDir, TONGBAN_PORT: String(place.port) };
  const before = await tongban(['health'], env);
  t.deepEqual([before.code, before.stdout], [1, '']);
  t.is(before.stderr, `http://127.0.0.1:${place.port}/health/ready cannot be reached.\n`);

  const product = await startProduct(t, place);
  const own = await tongban(['health'], env);
  t.deepEqual([own.code, own.stderr], [0, '']);
  const everywhere = await tongban(['health'], { ...env, TONGBAN_HOST: '0.0.0.0' });
  t.is(everywhere.code, 0, 'who listens on every address is asked on loopback');
  const named = await tongban(['health', `${product.issuer}/health/live`], {});
  t.is(named.code, 0);
  t.is(await product.end('SIGTERM'), 0);
  t.is((await tongban(['health'], env)).code, 1);
});

test('a health check says no to an answer that is none, to silence and to a redirect', async (t) => {
  const server = createServer((request, response) => {
    if (request.url === '/silent') return;
    response.writeHead(request.url === '/moved' ? 302 : 503, { location: '/' }).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close().closeAllConnections());
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const [path, words] of [
    ['/busy', 'answers 503'],
    ['/moved', 'answers 302'],
    ['/silent', 'does not answer within 2.5 s'],
  ] as const) {
    const { code, stderr } = await tongban(['health', origin + path], {});
    t.deepEqual([code, stderr], [1, `${origin}${path} ${words}.\n`]);
  }
});

test('a health check of no address, or with settings that cannot be, is not understood', async (t) => {
  for (const words of [['ftp://127.0.0.1/'], ['nowhere'], ['--fast'], ['http://a/', 'http://b/']]) {
    t.is((await tongban(['health', ...words], {})).code, 2, words.join(' '));
  }
  const env = { TONGBAN_PROFILE: 'demo', TONGBAN_DATA_DIR: await freshFolder(t) };
  const wrong = await tongban(['health'], { ...env, TONGBAN_PORT: 'many' });
  t.is(wrong.code, 2);
  t.regex(wrong.stderr, /port/);
  const chosen = await tongban(['health'], {
    ...env,
    TONGBAN_PORT: '0',
    TONGBAN_ISSUER: `http://localhost:${await freePort()}`,
  });
  t.deepEqual([chosen.code, chosen.stderr], [2, 'The system chose the port: name the address to ask.\n']);
});
