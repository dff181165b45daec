import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { connectRedis } from '../../src/storage/redis-client.ts';
import type { RedisOptions } from '../../src/storage/redis-topology.ts';
import { type EngineTest, embeddedTest } from './databases.ts';
import type { Cleanup } from './product.ts';
import { freePort } from './server.ts';

const HOST = '127.0.0.1';
const READY_DEADLINE_MS = 60_000;
const POLL_MS = 50;
/** A program that waits for what never comes must not hold up the tests. */
const ITS_TIME = { timeout: READY_DEADLINE_MS } as const;
const PRIMARY = 'tongban-primary';
const WITHOUT_FILES = ['--save', '', '--appendonly', 'no'];

/** A server of the test's own. */
export interface RedisServer {
  readonly port: number;
  readonly process: ChildProcess;
  /** Where it keeps what outlives it; started there again it is the same member of its cluster. */
  readonly folder: string;
}

/** How servers are shut to strangers: what they are started with, and what `redis-cli` and a house say to be let in. */
export interface Guard {
  /** Options that make a server listen at a port. */
  listen(port: number): readonly string[];
  /** Options of a server, or of a Sentinel, for its connections, and words of `redis-cli` that fit. */
  readonly transport: { readonly server: readonly string[]; readonly words: readonly string[] };
  /** Options of a server that say who is let in, and words of `redis-cli` that are. */
  readonly access: { readonly server: readonly string[]; readonly words: readonly string[] };
  readonly house: Partial<RedisOptions> & { readonly scheme: 'redis' | 'rediss' };
}

const OPEN: Guard = {
  listen: (port) => ['--port', String(port)],
  transport: { server: [], words: [] },
  access: { server: [], words: [] },
  house: { scheme: 'redis' },
};

export const redisCli = ({ transport, access }: Guard, port: number, ...args: readonly string[]): string =>
  spawnSync('redis-cli', ['-h', HOST, '-p', String(port), ...transport.words, ...access.words, ...args], {
    encoding: 'utf8',
    ...ITS_TIME,
  }).stdout;

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + READY_DEADLINE_MS;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Starts `redis-server` with these options, in a folder of its own unless one is named; it ends with the cleaner. */
export async function startRedis(
  t: Cleanup,
  options: readonly string[] = [],
  { guard = OPEN, ...again }: { readonly guard?: Guard; readonly port?: number; readonly folder?: string } = {},
): Promise<RedisServer> {
  const port = again.port ?? (await freePort());
  const folder = again.folder ?? (await mkdtemp(join(tmpdir(), 'tongban-redis-')));
  const place = [...guard.listen(port), '--bind', HOST, '--dir', folder, '--daemonize', 'no'];
  const args = [...place, ...guard.transport.server, ...guard.access.server, ...options];
  const child = spawn('redis-server', args, { stdio: 'ignore' });
  const closed = once(child, 'close');
  t.teardown(async () => {
    child.kill('SIGKILL');
    await closed;
    await rm(folder, { recursive: true, force: true });
  });
  await until('redis-server answers', () => redisCli(guard, port, 'ping').startsWith('PONG'));
  return { port, process: child, folder };
}

export interface RedisCluster extends RedisOptions {
  readonly nodes: readonly RedisServer[];
}

/** As long as nodes of a machine that is busy with tests may be silent without being given up. */
const PATIENT_MS = 15_000;

/** Three nodes that share all slots between them. */
export async function startCluster(
  t: Cleanup,
  { guard = OPEN, silentMs = PATIENT_MS }: { readonly guard?: Guard; readonly silentMs?: number } = {},
): Promise<RedisCluster> {
  const nodes: RedisServer[] = [];
  for (let n = 0; n < 3; n += 1) nodes.push(await startMember(t, guard, silentMs));
  const addresses = nodes.map(({ port }) => `${HOST}:${port}`);
  spawnSync('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-yes', ...wordsOf(guard)], ITS_TIME);
  await until('every node knows the whole cluster', () =>
    nodes.every(({ port }) => {
      const state = redisCli(guard, port, 'cluster', 'info');
      return state.includes('cluster_state:ok') && state.includes('cluster_known_nodes:3');
    }),
  );
  const { scheme, ...house } = guard.house;
  return { ...house, topology: 'cluster', url: addresses.map((address) => `${scheme}://${address}`).join(','), nodes };
}

const wordsOf = ({ transport, access }: Guard): readonly string[] => [...transport.words, ...access.words];

/** What makes a server a member of a cluster, over a port of its own for the others, which give it up after so long a silence. */
export const clustered = (busPort: number, silentMs: number): readonly string[] => [
  ...['--cluster-enabled', 'yes', '--cluster-port', String(busPort)],
  ...['--cluster-node-timeout', String(silentMs), ...WITHOUT_FILES],
];

const startMember = async (t: Cleanup, guard: Guard, silentMs: number): Promise<RedisServer> =>
  startRedis(t, clustered(await freePort(), silentMs), { guard });

/** The node that has the slot of a key, and a replica of it that was added to the cluster. */
export async function withReplica(
  t: Cleanup,
  { nodes }: RedisCluster,
  key: string,
  { guard, silentMs }: { readonly guard: Guard; readonly silentMs: number },
): Promise<{ readonly owner: RedisServer; readonly replica: RedisServer }> {
  const [first] = nodes;
  // The owner answers for itself; every other node says who has moved where.
  const owner = nodes.find(({ port }) => !redisCli(guard, port, 'get', key).includes('MOVED'))!;
  const id = redisCli(guard, owner.port, 'cluster', 'myid').trim();
  const replica = await startMember(t, guard, silentMs);
  const [added, known] = [replica, first!].map(({ port }) => `${HOST}:${port}`) as [string, string];
  const words = ['--cluster', 'add-node', added, known, '--cluster-slave', '--cluster-master-id', id];
  spawnSync('redis-cli', [...words, ...wordsOf(guard)], ITS_TIME);
  await until('the replica follows, and all know it', () => {
    const follows = redisCli(guard, replica.port, 'info', 'replication').includes('master_link_status:up');
    return follows && nodes.every(({ port }) => redisCli(guard, port, 'cluster', 'info').includes('known_nodes:4'));
  });
  return { owner, replica };
}

export interface RedisBehindSentinels extends RedisOptions {
  readonly primaryServer: RedisServer;
  readonly replicaServer: RedisServer;
}

/** A primary, its replica, and Sentinels of which more than half must agree; with a guard they have a password of their own. */
export async function startSentinel(t: Cleanup, guard = OPEN, count = 1): Promise<RedisBehindSentinels> {
  const primary = await startRedis(t, WITHOUT_FILES, { guard });
  const following = ['--replicaof', HOST, String(primary.port), '--repl-diskless-sync-delay', '0'];
  const replica = await startRedis(t, [...following, ...WITHOUT_FILES], { guard });
  const ports: number[] = [];
  for (let n = 0; n < count; n += 1)
    ports.push(await startOneSentinel(t, guard, primary.port, Math.ceil((count + 1) / 2)));
  for (const port of ports) {
    const known = (): string => redisCli(sentinelGuard(guard), port, 'sentinel', 'master', PRIMARY);
    await until('the Sentinel knows the replica and its fellows', () => {
      const text = known();
      return text.includes('num-slaves\n1\n') && text.includes(`num-other-sentinels\n${count - 1}\n`);
    });
  }
  await until('the replica follows', () =>
    redisCli(guard, primary.port, 'info', 'replication').includes('state=online'),
  );
  const { scheme, ...house } = guard.house;
  const url = ports
    .map((port) => `${scheme}://${guard === OPEN ? '' : `:${SENTINEL_SECRET}@`}${HOST}:${port}`)
    .join(',');
  return { ...house, topology: 'sentinel', url, primary: PRIMARY, primaryServer: primary, replicaServer: replica };
}

const SENTINEL_SECRET = 'the-sentinels-own-secret';
/** Sentinels know no user but the default one here. */
const sentinelGuard = (guard: Guard): Guard =>
  guard === OPEN ? OPEN : { ...guard, access: { server: [], words: ['-a', SENTINEL_SECRET, '--no-auth-warning'] } };

async function startOneSentinel(t: Cleanup, guard: Guard, primaryPort: number, quorum: number): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'tongban-sentinel-'));
  const port = await freePort();
  const file = join(folder, 'sentinel.conf');
  const { user, password } = guard.house;
  await writeFile(
    file,
    [
      `bind ${HOST}`,
      `dir ${folder}`,
      `sentinel monitor ${PRIMARY} ${HOST} ${primaryPort} ${quorum}`,
      `sentinel down-after-milliseconds ${PRIMARY} 2000`,
      `sentinel failover-timeout ${PRIMARY} 5000`,
      ...(user ? [`sentinel auth-user ${PRIMARY} ${user}`, `sentinel auth-pass ${PRIMARY} ${password}`] : []),
      ...(user ? [`requirepass ${SENTINEL_SECRET}`, `sentinel sentinel-pass ${SENTINEL_SECRET}`] : []),
      '',
    ].join('\n'),
  );
  const options = ['--sentinel', ...guard.listen(port), ...guard.transport.server];
  const child = spawn('redis-server', [file, ...options], { stdio: 'ignore' });
  const closed = once(child, 'close');
  t.teardown(async () => {
    child.kill('SIGKILL');
    await closed;
    await rm(folder, { recursive: true, force: true });
  });
  return port;
}

/** Tests on servers that this file starts for itself, once for all of them; skipped where there is no `redis-server`. */
export function ownRedisTest<Servers extends RedisOptions>(
  start: (t: Cleanup) => Promise<Servers>,
): { readonly test: EngineTest; readonly options: () => Servers } {
  let servers: Servers | undefined;
  const options = (): Servers => {
    if (servers === undefined) throw new Error('asked for before the tests began');
    return servers;
  };
  const where = whereRedisStarts(embeddedTest);
  if (!where.starts) return { test: where.test, options };
  const cleans: (() => unknown)[] = [];
  test.before(async () => {
    servers = await start({ teardown: (clean) => cleans.push(clean) });
    await until('the servers take a connection', async () => {
      const client = await connectRedis(options()).catch(() => undefined);
      await client?.close();
      return client !== undefined;
    });
  });
  test.after.always(async () => {
    for (const clean of cleans.reverse()) await clean();
  });
  return { test: where.test, options };
}

/** The same test where there is a `redis-server` to start; elsewhere it is counted as skipped. */
export function whereRedisStarts(own: EngineTest): { readonly test: EngineTest; readonly starts: boolean } {
  if (spawnSync('redis-server', ['--version']).status === 0) return { test: own, starts: true };
  // The gate installs it; whoever runs the tests without it sees how many were not run.
  const skip = (title: string, _body: (t: ExecutionContext) => Promise<void>): void =>
    test.skip(`${title} (skipped: no redis-server)`, () => {});
  return { test: Object.assign(skip, { serial: skip }), starts: false };
}
