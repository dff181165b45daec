import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import Router from '@koa/router';
import test from 'ava';
import Koa from 'koa';
import { laterPages } from '../src/web/later-pages.ts';

test('pages whose code is loaded late are there for the first who asks, and once', async (t) => {
  let loadings = 0;
  const ask = await listening(t, async () => {
    loadings += 1;
    return [saying('/a', 'a'), saying('/b', 'b')];
  });
  t.is(loadings, 0);
  t.deepEqual(await Promise.all(['/a', '/b', '/a'].map(ask)), ['200 a', '200 b', '200 a']);
  t.is(await ask('/elsewhere'), '404 Not Found');
  t.is(loadings, 1);
});

test('pages that could not be loaded are tried again by the next who asks', async (t) => {
  let isBroken = true;
  const ask = await listening(t, async () => {
    if (isBroken) throw new Error('no such file');
    return [saying('/a', 'a')];
  });
  t.is(await ask('/a'), '500 Internal Server Error');
  isBroken = false;
  t.is(await ask('/a'), '200 a');
});

function saying(path: string, text: string): Router {
  const router = new Router();
  router.get(path, (ctx) => {
    ctx.body = text;
  });
  return router;
}

async function listening(
  t: { readonly teardown: (end: () => void) => void },
  load: () => Promise<readonly Router[]>,
): Promise<(path: string) => Promise<string>> {
  const app = new Koa();
  app.silent = true;
  app.use(laterPages(load));
  const server = app.listen(0, '127.0.0.1');
  t.teardown(() => void server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return async (path) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`);
    return `${answer.status} ${await answer.text()}`;
  };
}
