import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import Koa, { type Context } from 'koa';
import { handOnDirectly } from '../src/web/direct-context.ts';

const REQUEST = { method: 'POST', headers: { 'x-asked': 'yes', 'x-forwarded-proto': 'https', accept: 'text/html' } };

/** Sets and reads, by the context, whatever a context hands on; what was read goes out in the answer. */
function everything(ctx: Context): void {
  const before = [ctx.method, ctx.path, ctx.url, ctx.host === ctx.headers.host, ctx.secure, ctx.ip, ctx.writable];
  const asked = [ctx.get('x-asked'), { ...ctx.query }, Object.keys(ctx.headers).sort()];
  ctx.method = 'PUT';
  ctx.url = '/other?second=2';
  const moved = [ctx.method, ctx.path, { ...ctx.query }, ctx.req.url];
  ctx.path = '/third';
  ctx.query = { third: '3' };
  const again = [ctx.url, ctx.req.url, ctx.request.method];
  ctx.status = 201;
  ctx.set('x-said', 'once');
  ctx.set({ 'x-also': 'this', 'x-gone': 'that' });
  ctx.append('x-said', 'twice');
  ctx.remove('x-gone');
  ctx.body = 'text';
  ctx.type = 'application/json';
  const answered = [ctx.status, ctx.type, ctx.body, ctx.response.body];
  ctx.body = JSON.stringify({ before, asked, moved, again, answered });
}

async function answerOf(direct: boolean) {
  const app = new Koa({ proxy: true });
  if (direct) handOnDirectly(app);
  app.use(everything);
  const server = createServer(app.callback()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    const response = await fetch(`http://127.0.0.1:${port}/first?one=1&one=2`, REQUEST);
    const headers = [...response.headers].filter(([name]) => name !== 'date');
    return { status: response.status, headers, told: (await response.json()) as { readonly moved: unknown } };
  } finally {
    server.close();
  }
}

test('a context that hands on directly says and does what Koa has it say and do', async (t) => {
  const direct = await answerOf(true);
  t.deepEqual(direct, await answerOf(false));
  t.is(direct.status, 201);
  t.deepEqual(direct.told.moved, ['PUT', '/other', { second: '2' }, '/other?second=2']);
});
