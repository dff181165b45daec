import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createClient } from 'redis';
import { freePort } from './server-process.ts';

const HOST = '127.0.0.1';
const POLL_MS = 20;

/** A Redis of a drill's own, on loopback. */
export interface OwnRedis {
  readonly url: string;
  readonly pid: () => number;
  /** Lets it hang, or go on. */
  readonly signal: (signal: 'SIGSTOP' | 'SIGCONT') => void;
  readonly flush: () => Promise<void>;
  /** Kills it and starts it again on what it had written; resolves when it answers. */
  readonly killAndStart: () => Promise<void>;
  readonly remove: () => Promise<void>;
}

/** Starts one that writes every command to its log, as an installation that may be killed does. */
export async function startOwnRedis(): Promise<OwnRedis> {
  const folder = await mkdtemp(join(tmpdir(), 'tongban-redis-'));
  const port = await freePort();
  const url = `redis://${HOST}:${port}`;
  const options = ['--port', String(port), '--bind', HOST, '--dir', folder, '--save', '', '--appendonly', 'yes'];
  const launch = (): ChildProcess => spawn('redis-server', options, { stdio: 'ignore' });
  let server = launch();
  const abandon = (): void => void server.kill('SIGKILL');
  process.once('exit', abandon);
  const kill = async (): Promise<void> => {
    const ended = once(server, 'close');
    server.kill('SIGKILL');
    await ended;
  };
  const flush = async (): Promise<void> => {
    const client = createClient({ url });
    client.on('error', () => {});
    await client.connect();
    await client.flushAll();
    client.destroy();
  };
  const answers = async (): Promise<void> => {
    for (;;) {
      const client = createClient({ url, socket: { reconnectStrategy: false } });
      client.on('error', () => {});
      // It takes a connection before it has read its log, and answers every command with an error until then.
      const isThere = await client
        .connect()
        .then(() => client.ping())
        .catch(() => undefined);
      if (client.isOpen) client.destroy();
      if (isThere !== undefined) return;
      if (server.exitCode !== null) throw new Error(`redis-server ended with ${server.exitCode}`);
      await pause(POLL_MS);
    }
  };
  await answers();
  return {
    url,
    pid: () => server.pid!,
    signal: (signal) => void server.kill(signal),
    flush,
    async killAndStart() {
      await kill();
      server = launch();
      await answers();
    },
    async remove() {
      process.off('exit', abandon);
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
