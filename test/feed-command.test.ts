import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import test, { type ExecutionContext } from 'ava';
import { run } from '../src/commands/feed.ts';
import { loadFeeds } from '../src/monitoring/feeds/feed-config.ts';
import { sqliteDatabase, temporaryFolder } from './support/databases.ts';
import { makeCertificates, syslogReceiver, until, webhookReceiver } from './support/feed-receivers.ts';
import { feedHouse, SECRET, settingsOf } from './support/feeds.ts';
import { signIns, writeEntries } from './support/ledger-rows.ts';
import { freePort } from './support/server.ts';

/** What is wrong with a feeds file of this text: path and reason of each fault. */
function faultsOf(t: ExecutionContext, text: string, folder = temporaryFolder(t)): readonly string[] {
  const file = join(folder, 'feeds.json');
  writeFileSync(file, text);
  const loaded = loadFeeds(file);
  return loaded.ok ? [] : loaded.faults.map(({ path, reason }) => `${path} ${reason}`);
}

test('a feeds file tells all its faults together, each with its place', (t) => {
  t.deepEqual(loadFeeds(''), { ok: true, feeds: [] });
  const folder = temporaryFolder(t);
  makeCertificates(folder);
  writeFileSync(join(folder, 'short'), 'too short');
  writeFileSync(join(folder, 'secret'), SECRET);
  const faults = faultsOf(
    t,
    JSON.stringify([
      { name: 'Siem', kind: 'syslog', address: 'udp://siem:514', colour: 'red', tls: { certFile: 'client.crt' } },
      { name: 'a', kind: 'pigeon' },
      { name: 'b', kind: 'syslog', address: 'tcp://siem.example:514', reveal: true, tls: {} },
      {
        name: 'c',
        kind: 'syslog',
        address: 'tls://siem:6514',
        tls: { caFile: 'nothing', certFile: 'client.crt', keyFile: 'server.key' },
      },
      { name: 'd', kind: 'syslog', address: 'tls://siem:6514', tls: { caFile: 'short' } },
      { name: 'e', kind: 'webhook', address: 'https://me:secret@hook.example/', secretFile: 'secret' },
      { name: 'f', kind: 'webhook', address: 'https://hook.example/', secretFile: 'short', fields: { x: 'nothing' } },
      { name: 'g', kind: 'file', address: 'no/such/folder', filesMax: 1 },
      { name: 'h', kind: 'file', address: 'nowhere/out', filter: { severityMin: 'loud', types: ['sign-out.'] } },
      { name: 'i', kind: 'file', address: 'nowhere/out', format: 'ecs' },
      { name: 'i', kind: 'file', address: 'out', format: 'xml' },
      { name: 'i', kind: 'file', address: 'out' },
    ]),
    folder,
  );
  t.deepEqual(faults, [
    'feeds[0].name must be up to 32 small letters, digits and hyphens',
    'feeds[0].address must be tls://host:port or tcp://host:port',
    'feeds[0].tls must have certFile and keyFile together, or neither',
    'feeds[0].colour is not a setting of a feed of this kind',
    'feeds[1].kind must have a kind: syslog, webhook or file',
    'feeds[2].tls needs an address that begins with tls://',
    'feeds[2].reveal needs an address that begins with tls:// or https://, unless it is on this machine',
    'feeds[3].tls.caFile the file cannot be read (ENOENT)',
    'feeds[3].tls.certFile does not go with keyFile, or one of them is not PEM',
    'feeds[4].tls.caFile holds no certificate in PEM',
    'feeds[5].address must be an https address without a name or password in it',
    'feeds[6].fields.x is filled from something no event has',
    'feeds[6].secretFile must hold at least 32 characters',
    'feeds[7].filesMax Too small: expected number to be >=2',
    'feeds[8].filter.severityMin Invalid option: expected one of "info"|"notice"|"warning"|"alert"',
    'feeds[8].filter.types.0 is no event type, and no beginning of one with a dot at its end',
    'feeds[9].address its folder does not exist',
    'feeds[10].format Invalid option: expected one of "json"|"cef"|"ecs"|"ocsf"',
    'feeds[11].name is the name of another feed as well',
  ]);
  t.false(faults.join().includes('me:secret'));
});

test('a feeds file that is no list is one fault', (t) => {
  t.deepEqual(faultsOf(t, '{'), ['feeds the file is not valid JSON']);
  t.deepEqual(faultsOf(t, '{}'), ['feeds the file must hold a list']);
  t.deepEqual(faultsOf(t, ' '.repeat(300_000)), ['feeds the file is not a file of at most 262144 bytes']);
  t.deepEqual(faultsOf(t, JSON.stringify(Array(21).fill({}))), ['feeds must be at most 20']);
  const missing = loadFeeds('/nowhere/feeds.json');
  t.deepEqual(missing, { ok: false, faults: [{ path: 'feeds', reason: 'the file cannot be read (ENOENT)' }] });
});

async function shell(t: ExecutionContext, list: readonly object[], origin?: string) {
  const database = await sqliteDatabase(t);
  const house = feedHouse(t, database);
  const feeds = settingsOf(t, list);
  const tongban = async (args: readonly string[], input = '') => {
    const written = { stdout: '', stderr: '' };
    const sink = (name: keyof typeof written) => ({
      write: (text: string) => {
        written[name] += text;
      },
    });
    const context = {
      feeds,
      reader: house.ledger.reader,
      ledger: house.ledger,
      database,
      outbound: house.outbound(origin),
    };
    const streams = { stdin: Readable.from([input]), stdout: sink('stdout'), stderr: sink('stderr') };
    return { code: await run(args, { ...context, ...streams }), ...written };
  };
  return { database, house, feeds, tongban };
}

test('feed test sends one marked message and says what became of it', async (t) => {
  let status = 204;
  const hook = await webhookReceiver(t, SECRET, () => status);
  const siem = await syslogReceiver(t);
  const dropping = await syslogReceiver(t, { drop: () => true });
  const out = join(temporaryFolder(t), 'out');
  const { tongban, house } = await shell(
    t,
    [
      { name: 'hook', kind: 'webhook', address: hook.origin, secretFile: 'secret', format: 'ecs' },
      { name: 'siem', kind: 'syslog', address: `tcp://127.0.0.1:${siem.port}` },
      { name: 'dropping', kind: 'syslog', address: `tcp://127.0.0.1:${dropping.port}` },
      { name: 'nobody', kind: 'syslog', address: `tcp://127.0.0.1:${await freePort()}` },
      { name: 'copy', kind: 'file', address: out },
    ],
    hook.origin,
  );
  t.deepEqual(await tongban(['test', 'hook']), {
    code: 0,
    stdout: 'hook: The receiver confirmed the test message.\n',
    stderr: '',
  });
  t.like(hook.events[0], { tongban: { test: true } });
  t.is(hook.badSignatures(), 0);
  t.is((await tongban(['test', 'siem'])).code, 0);
  await until(() => siem.messages.length === 1, 'the message');
  t.like(siem.bodies()[0], { type: 'feed.test', test: true });
  t.false('seq' in siem.bodies()[0]!);
  t.is((await tongban(['test', 'copy'])).code, 0);
  t.is(JSON.parse(readFileSync(out, 'utf8')).type, 'feed.test');
  t.is((await tongban(['test', 'dropping'])).stderr, 'dropping: the receiver dropped the connection at once.\n');
  const unreachable = 'nobody: the test message could not be delivered: cannot connect (ECONNREFUSED).\n';
  t.deepEqual(await tongban(['test', 'nobody']), { code: 1, stdout: '', stderr: unreachable });
  status = 401;
  t.is((await tongban(['test', 'hook'])).stderr, 'hook: the test message was refused: HTTP 401.\n');
  t.deepEqual(await house.told(), []);
});

test('X11 feed list, replay and dead letters, beside a feed that runs', async (t) => {
  let poisonous = true;
  const answer = (batch: readonly Record<string, unknown>[]) =>
    poisonous && batch.some(({ corr }) => corr === 'poison') ? 400 : 204;
  const hook = await webhookReceiver(t, SECRET, answer);
  const feed = { name: 'hook', kind: 'webhook', address: hook.origin, secretFile: 'secret' };
  const { tongban, house, feeds, database } = await shell(t, [feed], hook.origin);
  t.is((await tongban(['list'])).stdout, 'hook  webhook  new  next 0  waiting 0  dead 0\n');
  await writeEntries(database, [...signIns(3), { corr: 'poison' }, ...signIns(3)]);
  const running = house.start(feeds, hook.origin);
  await until(() => hook.events.length === 6, 'six of seven');
  await until(() => running.status()[0]?.lastDeliveredSeq === 6, 'the cursor');
  t.like(JSON.parse((await tongban(['list', '--json'])).stdout)[0], {
    name: 'hook',
    state: 'delivering',
    next_seq: 7,
    last_delivered_seq: 6,
    lag_events: 0,
    dead_letters: 1,
    error: null,
  });

  t.deepEqual(await tongban(['replay', 'hook', '--dead']), {
    code: 1,
    stdout: 'hook: 0 sent, 1 refused again, 0 no longer there.\n',
    stderr: '',
  });
  poisonous = false;
  t.is((await tongban(['replay', 'hook', '--dead'])).stdout, 'hook: 1 sent, 0 refused again, 0 no longer there.\n');
  t.is(hook.events.at(-1)?.corr, 'poison');
  t.is((await tongban(['replay', 'hook', '--dead'])).stdout, 'hook: 0 sent, 0 refused again, 0 no longer there.\n');

  const refused = await tongban(['replay', 'hook'], 'no\n');
  t.is(refused.code, 1);
  t.is(refused.stdout, 'hook will send the entries 0 to 7 again. Type yes to go on: ');
  t.is(refused.stderr, 'Nothing was changed.\n');
  const before = hook.events.length;
  t.is((await tongban(['replay', 'hook', '--from', '2'], 'yes\n')).code, 0);
  await until(() => hook.events.length === before + 5, 'five again');
  t.deepEqual(
    hook.events.slice(before).map(({ seq }) => seq),
    [2, 3, 4, 5, 6],
  );
  t.is((await tongban(['replay', 'hook', '--yes'])).stdout, 'hook goes on from entry 0.\n');
  await until(() => hook.events.length === before + 12, 'all seven again');
  t.is(
    (await tongban(['replay', 'hook', '--from', '8', '--yes'])).stderr,
    'The ledger has no entry 8 yet: it ends before 7.\n',
  );
});

test('what is not understood gets the usage, and unknown names are printed without controls', async (t) => {
  const { tongban } = await shell(t, []);
  t.is((await tongban(['list'])).stdout, 'No feed is configured.\n');
  t.is((await tongban(['test', 'x\u001b[2J'])).stderr, 'No feed has the name x?[2J.\n');
  for (const args of [
    [],
    ['test'],
    ['list', 'x'],
    ['constructor'],
    ['test', 'a', '--json'],
    ['replay', 'a', '--from', '-1'],
    ['replay', 'a', '--from', '1', '--dead'],
    ['list', '--loud'],
  ]) {
    const misunderstood = await tongban(args);
    t.is(misunderstood.code, 2, args.join(' '));
    t.true(misunderstood.stderr.startsWith('Usage:'));
  }
});
