import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { freePort, processorMicrosecondsOfAll } from './server-process.ts';

const DEBIAN = '/usr/lib/postgresql';
const DATABASE = 'test';
const WAIT_SECONDS = '60';

/** A PostgreSQL server of a drill's own, on loopback, which may be ended and started as the drill likes. */
export interface OwnPostgres {
  readonly url: string;
  /** Ends it: in order (`fast`) or as a loss of power would (`immediate`), which makes it recover from its log. */
  readonly end: (mode: 'fast' | 'immediate') => void;
  readonly start: () => void;
  /** Processor time of all its processes that run or have ended, in microseconds. */
  readonly processorMicroseconds: () => number;
  /** Ends it and removes its files. */
  readonly remove: () => Promise<void>;
}

/** Makes a cluster with the durability of a default installation, and starts it. PostgreSQL refuses root, so root becomes `postgres`. */
export async function startOwnPostgres(settings: readonly string[] = []): Promise<OwnPostgres> {
  const programs = programsFolder();
  const home = await mkdtemp(join(tmpdir(), 'tongban-postgres-'));
  const isRoot = userInfo().uid === 0;
  const run = (program: string, ...args: readonly string[]): string => {
    const own = [join(programs, program), ...args];
    const [command, ...rest] = isRoot ? ['runuser', '-u', 'postgres', '--', ...own] : own;
    // What pg_ctl leaves running inherits its pipes: without files of its own the wait for them would never end.
    const { status, stdout, stderr, error } = spawnSync(command!, rest, { cwd: home, encoding: 'utf8' });
    if (status !== 0) throw new Error(`${program} ended with ${status}: ${error?.message ?? ''}${stdout}${stderr}`);
    return stdout;
  };
  if (isRoot) {
    const ids = ['-u', '-g'].map((flag) => Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout));
    chownSync(home, ids[0]!, ids[1]!);
  }
  const data = join(home, 'data');
  const port = await freePort();
  run('initdb', '-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale', 'C.UTF-8');
  const options = [`-p ${port}`, '-h 127.0.0.1', `-k ${home}`, ...settings.map((setting) => `-c ${setting}`)].join(' ');
  const start = (): void =>
    void run('pg_ctl', '-D', data, '-w', '-t', WAIT_SECONDS, '-l', join(home, 'log'), '-o', options, 'start');
  const end: OwnPostgres['end'] = (mode) =>
    void run('pg_ctl', '-D', data, '-w', '-t', WAIT_SECONDS, '-m', mode, 'stop');
  start();
  run('createdb', '-h', '127.0.0.1', '-p', String(port), '-U', 'postgres', DATABASE);
  let isUp = true;
  return {
    url: `postgres://postgres@127.0.0.1:${port}/${DATABASE}`,
    end: (mode) => {
      end(mode);
      isUp = false;
    },
    start: () => {
      start();
      isUp = true;
    },
    processorMicroseconds: () => {
      const postmaster = Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n', 1)[0]);
      return processorMicrosecondsOfAll(postmaster);
    },
    remove: async () => {
      if (isUp) end('immediate');
      await rm(home, { recursive: true, force: true });
    },
  };
}

function programsFolder(): string {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : [];
  const found = versions.map((version) => join(DEBIAN, version, 'bin')).find((at) => existsSync(join(at, 'initdb')));
  if (found === undefined) throw new Error(`this drill needs PostgreSQL: no initdb under ${DEBIAN}`);
  return found;
}
