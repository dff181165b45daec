import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';

const SCRIPT = join(import.meta.dirname, '..', '..', 'docs', 'audit-verify', 'tongban_audit_verify.py');

/** What the Python verifier prints for one file. */
export interface PythonOutcome {
  readonly verdict: 'good' | 'tampered' | 'undecided';
  readonly reason: string;
  readonly firstBad?: number;
  readonly between?: { readonly from: number; readonly to: number };
  readonly checkpoint?: number;
}

/** Whether this machine can run the Python verifier with signatures; a sentence why not otherwise. */
export function pythonMissing(): string | undefined {
  const python = spawnSync('python3', ['-c', "import hashlib; hashlib.new('sm3')"], { encoding: 'utf8' });
  if (python.status !== 0) return 'no python3 with SM3';
  return spawnSync('openssl', ['version']).status === 0 ? undefined : 'no openssl command';
}

/** The Python verifier in batch mode: one long-lived process, one outcome a line, in the order of the questions. */
export class PythonVerifier {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: Interface;
  readonly #waiting: ((outcome: PythonOutcome) => void)[] = [];
  #errors = '';

  constructor(keys: readonly string[]) {
    this.#process = spawn('python3', [SCRIPT, '--batch', ...keys.flatMap((key) => ['--key', key])]);
    this.#lines = createInterface({ input: this.#process.stdout });
    this.#lines.on('line', (line) => this.#waiting.shift()?.(JSON.parse(line) as PythonOutcome));
    this.#process.stderr.on('data', (bytes: Buffer) => {
      this.#errors += bytes.toString('utf8');
    });
    this.#process.on('exit', () => {
      const reason = `the Python verifier ended: ${this.#errors}`;
      for (const resolve of this.#waiting.splice(0)) resolve({ verdict: 'good', reason });
    });
  }

  judge(file: string, checkpoints = ''): Promise<PythonOutcome> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#process.stdin.write(`${file}\t${checkpoints}\n`);
    });
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.stdin.end();
    await ended;
  }
}

let interpreter: string | undefined;

/** Runs the Python verifier once, as an auditor does; `env` changes what the interpreter, once found, sees. */
export function runPython(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): { readonly status: number | null; readonly output: string } {
  interpreter ??= spawnSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).stdout.trim();
  const { status, stdout, stderr } = spawnSync(interpreter, [SCRIPT, ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  return { status, output: stdout + stderr };
}
