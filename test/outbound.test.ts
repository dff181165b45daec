import { generateKeyPairSync } from 'node:crypto';
import type { LookupFunction } from 'node:net';
import { gzipSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import { Provider } from 'oidc-provider';
import { createOutbound, OutboundFailure, type OutboundReason } from '../src/delivery/outbound.ts';
import { isSpecialUse } from '../src/delivery/special-addresses.ts';
import { trap, webServer } from './support/listeners.ts';

const SECRET = 'words of the other side';

async function refused(t: ExecutionContext, work: Promise<unknown>, reason: OutboundReason): Promise<OutboundFailure> {
  const failure = await t.throwsAsync(work, { instanceOf: OutboundFailure });
  t.is(failure?.reason, reason);
  t.false(`${failure?.message}`.includes(SECRET));
  return failure!;
}

test('G2 V16 V37 no address of this machine or intranet is ever connected to', async (t) => {
  const v4 = await trap(t, '127.0.0.1');
  const v6 = await trap(t, '::1');
  const outbound = createOutbound({ allowedOrigins: [] });
  const hosts4 = [
    '127.0.0.1',
    'localhost',
    '2130706433',
    '0x7f.1',
    '127.1',
    '0.0.0.0',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
  ];
  for (const host of hosts4)
    await refused(t, outbound(`https://${host}:${v4.port}/hook?token=${SECRET}`), 'special_address');
  for (const host of ['[::1]', '[::]', 'localhost'])
    await refused(t, outbound(`https://${host}:${v6.port}/`), 'special_address');
  for (const host of [
    '10.1.2.3',
    '172.16.0.1',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '[fd00::1]',
    '[fe80::1]',
  ]) {
    await refused(t, outbound(`https://${host}/`), 'special_address');
  }
  await refused(t, outbound(`http://127.0.0.1:${v4.port}/`), 'https_required');
  await refused(t, outbound('file:///etc/passwd'), 'https_required');
  await refused(t, outbound('https://user:word@portal.example.cn/'), 'malformed_address');
  await refused(t, outbound('portal'), 'malformed_address');
  t.is(v4.seen.connections + v6.seen.connections, 0);
});

test('G2 V16 a name is judged by the addresses that would be connected to, once, and all of them', async (t) => {
  const { seen, port } = await trap(t, '127.0.0.1');
  const answers = new Map([
    ['rebound.example.cn', ['127.0.0.1']],
    ['mixed.example.cn', ['11.22.33.44', '127.0.0.1']],
    ['mapped.example.cn', ['::ffff:127.0.0.1']],
    ['nowhere.example.cn', []],
  ]);
  let lookups = 0;
  const lookup: LookupFunction = (hostname, _options, callback) => {
    lookups += 1;
    callback(
      null,
      answers.get(hostname)!.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
  };
  const outbound = createOutbound({ allowedOrigins: [], lookup });
  for (const host of answers.keys()) await refused(t, outbound(`https://${host}:${port}/`), 'special_address');
  t.is(lookups, answers.size);
  t.is(seen.connections, 0);
});

test('R11 an allow-listed origin is reached, exactly that origin, and its redirects are not followed', async (t) => {
  const { seen, port } = await trap(t, '127.0.0.1');
  const origin = await webServer(t, (request, response) => {
    if (request.url === '/moved') response.writeHead(302, { location: `http://127.0.0.1:${port}/` }).end(SECRET);
    else response.writeHead(200, { 'content-type': 'application/json' }).end('{"keys":[]}');
  });
  const outbound = createOutbound({ allowedOrigins: [origin] });
  const response = await outbound(`${origin}/jwks`);
  t.is(response.status, 200);
  t.deepEqual(await response.json(), { keys: [] });
  await refused(t, outbound(`${origin}/moved`), 'redirected');
  await refused(t, outbound(`${origin}/moved`, { redirect: 'follow' }), 'redirected');
  await refused(t, outbound(`http://127.0.0.1:${port}/`), 'https_required');
  await refused(t, outbound(origin.replace('127.0.0.1', 'localhost')), 'https_required');
  t.is(seen.connections, 0);
});

test('G2 an answer that is late, drips or is too large is not taken, packed or not', async (t) => {
  const origin = await webServer(t, (request, response) => {
    if (request.url === '/late') return;
    if (request.url === '/drip') {
      response.writeHead(200);
      const timer = setInterval(() => response.write('.'), 50);
      response.on('close', () => clearInterval(timer));
    } else if (request.url === '/large') response.end(SECRET.repeat(10_000));
    else if (request.url === '/packed') {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(20_000_000)));
    } else if (request.url === '/endless') {
      response.on('error', () => {});
      const more = (): void => {
        if (response.destroyed) return;
        response.write('x'.repeat(65_536));
        setImmediate(more);
      };
      more();
    } else response.end('x'.repeat(65_536));
  });
  const outbound = createOutbound({ allowedOrigins: [origin], timeoutMs: 400 });
  const startedMs = performance.now();
  await Promise.all(['/late', '/drip'].map((path) => refused(t, outbound(origin + path), 'timed_out')));
  t.true(performance.now() - startedMs < 10_000);
  const patient = createOutbound({ allowedOrigins: [origin], timeoutMs: 30_000 });
  for (const path of ['/large', '/packed', '/endless']) await refused(t, patient(origin + path), 'body_too_large');
  t.is((await (await outbound(`${origin}/fits`)).text()).length, 65_536);
});

test('the signal of the caller counts too, and a closed port is unreachable', async (t) => {
  const origin = await webServer(t, () => {});
  const outbound = createOutbound({ allowedOrigins: [origin, 'http://127.0.0.1:9'] });
  await refused(t, outbound(origin, { signal: AbortSignal.timeout(100) }), 'timed_out');
  const failure = await refused(t, outbound('http://127.0.0.1:9/secret?path'), 'unreachable');
  t.false(failure.message.includes('path'));
});

test('an allow-list holds origins and nothing else', (t) => {
  for (const entry of [
    '127.0.0.1',
    'http://127.0.0.1/path',
    'https://*.example.cn/x',
    'ftp://example.cn',
    'https://u@example.cn',
  ]) {
    t.throws(() => createOutbound({ allowedOrigins: [entry] }), undefined, entry);
  }
  t.notThrows(() => createOutbound({ allowedOrigins: ['https://portal.example.cn', 'http://10.0.0.1:8080/'] }));
});

test('G2 which addresses are of special use', (t) => {
  const special = `0.0.0.0 10.255.255.255 100.127.0.1 127.255.0.1 169.254.0.1 172.31.255.255 192.0.0.8 192.0.2.1 192.168.0.1 198.19.0.1
    198.51.100.7 203.0.113.7 224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255 :: ::1 ::ffff:10.0.0.1 ::ffff:a00:1 ::127.0.0.1 64:ff9b::7f00:1
    64:ff9b:1::1 100::1 2001::1 2001:db8::1 2002:7f00:1::1 3fff::1 5f00::1 fc00::1 fdff::1 fe80::1 fe80::1%eth0 fec0::1 ff02::1`;
  for (const address of special.split(/\s+/)) t.true(isSpecialUse(address), address);
  const ordinary =
    '1.1.1.1 11.0.0.1 100.63.0.1 100.128.0.1 172.15.0.1 172.32.0.1 192.169.0.1 223.255.255.1 ::ffff:1.1.1.1 2400:da00::1 2606:4700::1';
  for (const address of ordinary.split(' ')) t.false(isSpecialUse(address), address);
});

test('R11 V37 the protocol library delivers a logout to an allow-listed portal and to no other', async (t) => {
  const received: string[] = [];
  const origin = await webServer(t, (request, response) => {
    request.setEncoding('utf8').on('data', (text: string) => received.push(text));
    request.on('end', () => response.writeHead(200).end());
  });
  const { seen, port } = await trap(t, '127.0.0.1');
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
  const client = (client_id: string, backchannel_logout_uri: string) => ({
    client_id,
    client_secret: 'a-secret-of-the-test',
    redirect_uris: ['https://portal.example.cn/cb'],
    backchannel_logout_uri,
  });
  const provider = new Provider('https://id.example.cn', {
    clients: [client('near', `${origin}/out`), client('far', `https://localhost:${port}/out`)],
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    cookies: { keys: ['0123456789abcdef'] },
    jwks: { keys: [key] },
    features: { devInteractions: { enabled: false }, backchannelLogout: { enabled: true } },
    fetch: createOutbound({ allowedOrigins: [origin] }),
  });
  const logout = async (id: string): Promise<void> => {
    const found = (await provider.Client.find(id)) as unknown as {
      backchannelLogout(sub: string, sid: string): Promise<void>;
    };
    await found.backchannelLogout('person', 'session');
  };
  await logout('near');
  t.regex(received.join(''), /^logout_token=ey/);
  await t.throwsAsync(logout('far'), { instanceOf: OutboundFailure });
  t.is(seen.connections, 0);
});
