import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { monotonicMs } from '../src/shared/clock.ts';

const ROOT = new URL('..', import.meta.url).pathname;
const TICKS_PER_SECOND = 100;
const OUTPUT_CHARACTERS_MAX = 262_144;
const STOP_DEADLINE_MS = 12_000;
const POLL_MS = 4;

/** A Node program of this project in a process of its own, with an environment of its own and nothing inherited. */
export class ServerProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  readonly spawnedAtMs: number;
  stderr = '';
  stdout = '';

  constructor(args: readonly string[], env: Readonly<Record<string, string>>) {
    this.spawnedAtMs = monotonicMs();
    this.#child = spawn(process.execPath, args, { cwd: ROOT, env: { ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.stdout = (this.stdout + text).slice(-OUTPUT_CHARACTERS_MAX);
    });
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr = (this.stderr + text).slice(-OUTPUT_CHARACTERS_MAX);
    });
    const abandon = (): void => void this.#child.kill('SIGKILL');
    process.once('exit', abandon);
    this.#ended = new Promise((resolve) =>
      this.#child.once('exit', () => {
        process.off('exit', abandon);
        resolve();
      }),
    );
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Asks the process to end, and ends it when it does not. */
  async stop(): Promise<void> {
    if (!this.running) return;
    this.#child.kill('SIGTERM');
    const impatient = setTimeout(() => this.#child.kill('SIGKILL'), STOP_DEADLINE_MS);
    await this.#ended;
    clearTimeout(impatient);
  }

  /** Ends the process without a word, as a fault would. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  /** Milliseconds from the spawn to the first 200 of one of the paths; throws with what the process said if none comes. */
  async untilReady(origin: URL, paths: readonly string[], deadlineMs = 60_000): Promise<number> {
    while (this.running && monotonicMs() - this.spawnedAtMs < deadlineMs) {
      for (const path of paths) {
        const status = await fetch(new URL(path, origin), { redirect: 'manual' }).then(
          async (response) => {
            await response.arrayBuffer();
            return response.status;
          },
          () => undefined,
        );
        if (status === 200) return monotonicMs() - this.spawnedAtMs;
        if (status === undefined) break;
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    throw new Error(`the server was not ready in time:\n${this.stdout.slice(-2000)}\n${this.stderr.slice(-4000)}`);
  }
}

/** Lets an interrupted run end its servers with it: a signal alone would leave them behind. */
export function endServersOnSignal(): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
}

/** Runs one command of the project to its end and gives what it printed; throws with its complaints if it fails. */
export function runCommand(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  input = '',
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: ROOT, env: { ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
    let printed = '';
    let complaints = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaints += text;
    });
    child.stdin.on('error', () => {}).end(input);
    child.once('exit', (code) => {
      if (code === 0) resolve(printed);
      else reject(new Error(`${args.join(' ')} ended with ${code}:\n${printed}\n${complaints}`));
    });
  });
}

/**
 * Processor time a process has used since it began, in microseconds: all its threads, those that have ended included,
 * user and system together. The kernel counts precisely and reports in steps of 10 ms, so measure over seconds.
 */
export function processorMicroseconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1_000_000) / TICKS_PER_SECOND;
}

/** The same of a process, those of its children that run, and those that have ended. */
export function processorMicrosecondsOfAll(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ').filter(Boolean);
  const running = [String(pid), ...children].map((one) => processorMicroseconds(Number(one)));
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ended = ((Number(fields[13]) + Number(fields[14])) * 1_000_000) / TICKS_PER_SECOND;
  return running.reduce((sum, one) => sum + one, ended);
}

/** Resident memory of a process in bytes. */
export function residentBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))![1]) * 1024;
}

/** A port nobody listens on at the moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() =>
        address && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}
