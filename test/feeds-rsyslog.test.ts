import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { sqliteDatabase, temporaryFolder } from './support/databases.ts';
import { makeCertificates, until } from './support/feed-receivers.ts';
import { feedHouse, settingsOf } from './support/feeds.ts';
import { signIns, writeEntries } from './support/ledger-rows.ts';
import { freePort } from './support/server.ts';

/** Debian's place, or another one by the variable RSYSLOGD. */
const RSYSLOGD = process.env.RSYSLOGD ?? '/usr/sbin/rsyslogd';
const TEMPLATE = '%syslogfacility% %syslogseverity-text% %hostname% %msgid% %structured-data% %msg%\\n';
const NOTABLE = { type: 'person.disabled', actor: 'operator:张"]三', data: { reason: 'a]b"c\\d\ne|f=g 😀' } };

const rsyslogTest = (title: string, body: (t: ExecutionContext) => Promise<void>, isThere = true): void =>
  existsSync(RSYSLOGD) && isThere
    ? test(title, body)
    : test.skip(`${title} (skipped: no rsyslogd at ${RSYSLOGD}, or not with what this needs)`, body);

/** TLS is a package of its own in Debian (rsyslog-openssl). */
const speaksTls = globSync('/usr/lib/*/rsyslog/lmnsd_ossl.so').length > 0;

/** A syslog server of the distribution in a folder of its own. `input` is what stands before the port. */
async function rsyslog(t: ExecutionContext, folder: string, head: string, driver = '') {
  const port = await freePort();
  const out = join(folder, 'received');
  const config = join(folder, 'rsyslog.conf');
  writeFileSync(
    config,
    `global(workDirectory="${folder}" ${head})
module(load="imtcp" ${driver})
input(type="imtcp" address="127.0.0.1" port="${port}")
template(name="whole" type="string" string="${TEMPLATE}")
action(type="omfile" file="${out}" template="whole")\n`,
  );
  let child: ChildProcess | undefined;
  const connects = (): Promise<boolean> =>
    new Promise((resolve) => {
      const probe = createConnection(port, '127.0.0.1');
      probe.once('connect', () => resolve(true)).once('error', () => resolve(false));
      probe.once('connect', () => probe.destroy());
    });
  const start = async (): Promise<void> => {
    child = spawn(RSYSLOGD, ['-n', '-f', config, '-i', join(folder, 'pid')], { stdio: 'ignore' });
    await until(connects, 'rsyslogd');
  };
  const stop = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  };
  t.teardown(stop);
  await start();
  const lines = (): string[] =>
    existsSync(out) ? readFileSync(out, 'utf8').trimEnd().split('\n').filter(Boolean) : [];
  return { port, start, stop, lines };
}

const seqOf = (line: string): number => Number(/ seq="(\d+)"/.exec(line)?.[1]);
const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

rsyslogTest('H6 X11 rsyslog receives every event over TCP, through a restart of its own', async (t) => {
  const server = await rsyslog(t, temporaryFolder(t), '');
  const database = await sqliteDatabase(t);
  const house = feedHouse(t, database);
  await writeEntries(database, [NOTABLE, ...signIns(299)]);
  house.start(
    settingsOf(t, [{ name: 'siem', kind: 'syslog', format: 'cef', address: `tcp://127.0.0.1:${server.port}` }]),
  );
  await until(() => server.lines().length === 300, 'three hundred lines');
  t.deepEqual(server.lines().map(seqOf), numbers(300));
  const [first] = server.lines();
  t.regex(
    first!,
    /^13 warning n1 person\.disabled \[tongban@32473 seq="0" type="person\.disabled" batch="0-255" sm3="[0-9a-f]{64}"\] /,
  );
  t.true(first!.includes('CEF:0|Tongban|Tongban ID|'));
  t.true(first!.includes('suser=operator:张"]三 '));
  t.true(first!.endsWith('TongbanReason=a]b"c\\\\d\\ne|f\\=g 😀'), first);
  await new Promise((resolve) => setTimeout(resolve, 2200));
  await server.stop();
  await writeEntries(database, signIns(300));
  await new Promise((resolve) => setTimeout(resolve, 1000));
  await server.start();
  await until(() => server.lines().length >= 600, 'all of them');
  t.deepEqual(server.lines().map(seqOf).slice(0, 600), numbers(600));
});

rsyslogTest(
  'H6 rsyslog receives every event over TLS with certificates on both sides',
  async (t) => {
    const folder = temporaryFolder(t);
    makeCertificates(folder);
    const file = (name: string): string => join(folder, name);
    const head = `defaultNetstreamDriverCAFile="${file('ca.crt')}" defaultNetstreamDriverCertFile="${file('server.crt')}"
    defaultNetstreamDriverKeyFile="${file('server.key')}" defaultNetstreamDriver="ossl"`;
    const driver = 'StreamDriver.Name="ossl" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/certvalid"';
    const server = await rsyslog(t, folder, head, driver);
    const database = await sqliteDatabase(t);
    await writeEntries(database, [NOTABLE, ...signIns(299)]);
    const tls = { caFile: 'ca.crt', certFile: 'client.crt', keyFile: 'client.key', serverName: 'localhost' };
    const address = `tls://127.0.0.1:${server.port}`;
    feedHouse(t, database).start(settingsOf(t, [{ name: 'siem', kind: 'syslog', address, tls }], folder));
    await until(() => server.lines().length === 300, 'three hundred lines');
    t.deepEqual(server.lines().map(seqOf), numbers(300));
    const body = JSON.parse(server.lines()[0]!.split('] ', 2)[1]!.replace('\ufeff', '').trim() || '{}');
    t.is(body.seq, 0);
  },
  speaksTls,
);
