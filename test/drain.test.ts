import test from 'ava';
import { faultOfShipped, nginxMissing, startNginx } from './support/nginx.ts';
import { freshPlace, startProduct } from './support/product.ts';
import { freePort } from './support/server.ts';
import { until } from './support/waiting.ts';

const DELAY_MS = 1500;

const statusAt = (url: string): Promise<number> =>
  fetch(url).then(
    (answer) => answer.status,
    () => 0,
  );

test('X7 a node that is told to end is not ready but serves on for the time of the load balancers, and keeps no connection', async (t) => {
  const product = await startProduct(t, await freshPlace(t), { TONGBAN_HTTP_DRAIN_DELAY_MS: String(DELAY_MS) });
  const ready = `${product.issuer}/health/ready`;
  t.is((await fetch(product.issuer)).headers.get('connection'), 'keep-alive');
  const ending = product.end('SIGTERM');
  t.true(await until(async () => (await statusAt(ready)) === 503));
  const served = await fetch(product.issuer);
  t.is(served.status, 200);
  t.is(served.headers.get('connection'), 'close');
  t.is(await ending, 0);
  t.is(await statusAt(ready), 0);
});

const missing = nginxMissing();
// Its absence is no success: the test is counted as skipped, and the gate installs nginx so that it is not.
const nginxTest = missing === undefined ? test : test.skip;
const title = 'X7 behind the nginx we describe, a node that ends is not noticed';
nginxTest(missing === undefined ? title : `${title} (skipped: ${missing})`, async (t) => {
  const port = await freePort();
  const issuer = `http://localhost:${port}`;
  const env = { TONGBAN_ISSUER: issuer, TONGBAN_HTTP_TRUSTED_PROXIES: '1', TONGBAN_DEMO_PORTALS: 'false' };
  const place = await freshPlace(t);
  const nodePorts = [place.port, await freePort()] as const;
  await startNginx(t, port, nodePorts);
  const one = await startProduct(t, place, env);
  await startProduct(t, { ...place, port: nodePorts[1] }, { ...env, TONGBAN_MONITORING_PORT: '0' });
  let asks = true;
  const answers: number[] = [];
  const asking = (async () => {
    while (asks) answers.push(await statusAt(`${issuer}/.well-known/openid-configuration`));
  })();
  t.true(await until(() => answers.length > 20));
  t.is(await one.end('SIGTERM'), 0);
  const enough = answers.length + 20;
  t.true(await until(() => answers.length > enough));
  asks = false;
  await asking;
  t.deepEqual(
    answers.filter((status) => status !== 200),
    [],
  );
});

nginxTest('the files for nginx that we ship are taken by a real one', (t) => {
  for (const name of ['tongban.conf', 'compose.conf']) t.is(faultOfShipped(name), undefined, name);
});
