import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monotonicMs } from '../../src/shared/clock.ts';
import { freePort } from './server.ts';

const ROOT = new URL('../../', import.meta.url);
const READY_DEADLINE_MS = 90_000;
const POLL_MS = 10;

type Env = Readonly<Record<string, string>>;

/** Where to leave what has to be cleaned up: a test, or a list of a file's own. The last left is cleaned up first. */
export interface Cleanup {
  teardown(clean: () => unknown): void;
}

/** What a command that ended has left behind. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The environment of this process without any setting of ours: what a test sets is all that holds. */
export function cleanEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value === undefined || name.startsWith('TONGBAN_') ? [] : [[name, value]],
    ),
  );
}

/** A folder that is removed after the test; the path in it does not exist yet. */
export async function freshFolder(t: Cleanup): Promise<string> {
  const place = await mkdtemp(join(tmpdir(), 'tongban-product-'));
  t.teardown(() => rm(place, { recursive: true, force: true }));
  return join(place, 'data');
}

function collect(child: ChildProcess): { stdout: string; stderr: string } {
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      said[name] += text;
    });
  }
  return said;
}

/** Runs `tongban ARGS` as an operator would, to its end. */
export async function tongban(args: readonly string[], env: Env, input = ''): Promise<Ended> {
  const child = spawn(process.execPath, ['src/main.js', ...args], {
    cwd: ROOT,
    env: { ...cleanEnvironment(), ...env },
  });
  const said = collect(child);
  child.stdin.on('error', () => {}); // A command that refuses at once does not read its input.
  child.stdin.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...said };
}

/** A whole product in a process of its own. */
export interface Product {
  readonly issuer: string;
  readonly portals: readonly [string, string];
  readonly dataDir: string;
  /** From the start of the process to the first good answer of /health/ready. */
  readonly readyAfterMs: number;
  readonly pid: number;
  said(): string;
  /** Ends the process by SIGTERM, or as if the power had failed, and resolves with the exit code. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null>;
}

export interface Place {
  readonly dataDir: string;
  readonly port: number;
  readonly portalPorts: readonly [number, number];
}

export async function freshPlace(t: Cleanup): Promise<Place> {
  return { dataDir: await freshFolder(t), port: await freePort(), portalPorts: [await freePort(), await freePort()] };
}

/** Starts `tongban serve` and resolves when it is ready; the process ends with the test at the latest. */
export async function startProduct(t: Cleanup, place: Place, env: Env = {}): Promise<Product> {
  const { dataDir, port, portalPorts } = place;
  const issuer = `http://localhost:${port}`;
  const startedMs = monotonicMs();
  const child = spawn(process.execPath, ['src/main.js', 'serve'], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...cleanEnvironment(),
      TONGBAN_PROFILE: 'demo',
      TONGBAN_DATA_DIR: dataDir,
      TONGBAN_PORT: String(port),
      TONGBAN_DEMO_PORTS: portalPorts.join(','),
      ...env,
    },
  });
  const said = collect(child);
  const closed = once(child, 'close') as Promise<[number | null]>;
  let over = false;
  closed.then(() => {
    over = true;
  });
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    if (!over) child.kill(signal);
    return (await closed)[0];
  };
  t.teardown(() => end('SIGKILL'));
  while (!(await isReady(issuer))) {
    if (over) throw new Error(`the product ended: ${said.stderr}`);
    if (monotonicMs() - startedMs > READY_DEADLINE_MS) throw new Error(`not ready: ${said.stderr}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  const readyAfterMs = Math.round(monotonicMs() - startedMs);
  // The line or box that tells where to click comes last, when the sample portals listen as well.
  while (said.stdout === '') {
    if (over) throw new Error(`the product ended: ${said.stderr}`);
    if (monotonicMs() - startedMs > READY_DEADLINE_MS) throw new Error(`silent: ${said.stderr}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  const portals = portalPorts.map((portal) => `http://localhost:${portal}`) as unknown as readonly [string, string];
  return { issuer, portals, dataDir, readyAfterMs, pid: child.pid ?? 0, said: () => said.stdout + said.stderr, end };
}

async function isReady(issuer: string): Promise<boolean> {
  try {
    return (await fetch(`${issuer}/health/ready`, { signal: AbortSignal.timeout(2000) })).ok;
  } catch {
    return false;
  }
}
