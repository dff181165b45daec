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
const PRIMARY = 'tongban-primary';
const WITHOUT_FILES = ['--save', '', '--appendonly', 'no'];

/** A server of the test's own. */
export interface RedisServer {
  readonly port: number;
  readonly process: ChildProcess;
}

const cli = (port: number, ...args: readonly string[]): string =>
  spawnSync('redis-cli', ['-h', HOST, '-p', String(port), ...args], { encoding: 'utf8' }).stdout;

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + READY_DEADLINE_MS;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Starts `redis-server` with these options and a folder of its own; it ends with the cleaner. */
export async function startRedis(t: Cleanup, options: readonly string[] = [], port?: number): Promise<RedisServer> {
  const own = port ?? (await freePort());
  const folder = await mkdtemp(join(tmpdir(), 'tongban-redis-'));
  const args = ['--port', String(own), '--bind', HOST, '--dir', folder, '--daemonize', 'no', ...options];
  const child = spawn('redis-server', args, { stdio: 'ignore' });
  const closed = once(child, 'close');
  t.teardown(async () => {
    child.kill('SIGKILL');
    await closed;
    await rm(folder, { recursive: true, force: true });
  });
  await until('redis-server answers', () => cli(own, 'ping').startsWith('PONG'));
  return { port: own, process: child };
}

/** Three nodes that share all slots between them. */
export async function startCluster(t: Cleanup): Promise<RedisOptions> {
  const nodes: RedisServer[] = [];
  for (let n = 0; n < 3; n += 1) {
    const bus = await freePort();
    nodes.push(await startRedis(t, ['--cluster-enabled', 'yes', '--cluster-port', String(bus), ...WITHOUT_FILES]));
  }
  const addresses = nodes.map(({ port }) => `${HOST}:${port}`);
  spawnSync('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-yes']);
  await until('every node knows the whole cluster', () =>
    nodes.every(({ port }) => {
      const state = cli(port, 'cluster', 'info');
      return state.includes('cluster_state:ok') && state.includes('cluster_known_nodes:3');
    }),
  );
  return { topology: 'cluster', url: addresses.map((address) => `redis://${address}`).join(',') };
}

/** A primary, its replica, and a Sentinel that alone decides. */
export async function startSentinel(t: Cleanup): Promise<RedisOptions & { readonly primaryServer: RedisServer }> {
  const primary = await startRedis(t, WITHOUT_FILES);
  await startRedis(t, ['--replicaof', HOST, String(primary.port), '--repl-diskless-sync-delay', '0', ...WITHOUT_FILES]);
  const folder = await mkdtemp(join(tmpdir(), 'tongban-sentinel-'));
  const port = await freePort();
  const file = join(folder, 'sentinel.conf');
  await writeFile(
    file,
    [
      `port ${port}`,
      `bind ${HOST}`,
      `dir ${folder}`,
      `sentinel monitor ${PRIMARY} ${HOST} ${primary.port} 1`,
      `sentinel down-after-milliseconds ${PRIMARY} 1000`,
      `sentinel failover-timeout ${PRIMARY} 5000`,
      '',
    ].join('\n'),
  );
  const child = spawn('redis-server', [file, '--sentinel'], { stdio: 'ignore' });
  const closed = once(child, 'close');
  t.teardown(async () => {
    child.kill('SIGKILL');
    await closed;
    await rm(folder, { recursive: true, force: true });
  });
  await until('the Sentinel knows the replica', () =>
    cli(port, 'sentinel', 'master', PRIMARY).includes('num-slaves\n1\n'),
  );
  await until('the replica follows', () => cli(primary.port, 'info', 'replication').includes('state=online'));
  return { topology: 'sentinel', url: `redis://${HOST}:${port}`, primary: PRIMARY, primaryServer: primary };
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
