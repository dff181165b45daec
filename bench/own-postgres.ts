import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { freePort, processorMicrosecondsOfAll } from './server-process.ts';

const DEBIAN = '/usr/lib/postgresql';
const DATABASE = 'test';
const WAIT_SECONDS = '60';

/** A PostgreSQL server of a drill's own, on loopback, which may be ended and started as the drill likes. */
export interface OwnPostgres {
  readonly url: string;
  readonly port: number;
  /** Ends it: in order (`fast`) or as a loss of power would (`immediate`), which makes it recover from its log. */
  readonly end: (mode: 'fast' | 'immediate') => Promise<void>;
  readonly start: () => Promise<void>;
  /** Makes a standby the primary (`pg_ctl promote`); resolves when it takes writes. */
  readonly promote: () => Promise<void>;
  /** Runs a program of PostgreSQL, such as `pg_basebackup`, as the user the server runs under. */
  readonly run: (program: string, ...args: readonly string[]) => Promise<string>;
  /** A new folder that belongs to that user, and goes with the server. */
  readonly folder: (name: string) => Promise<string>;
  /** Processor time of all its processes that run or have ended, in microseconds. */
  readonly processorMicroseconds: () => number;
  /** Ends it and removes its files. */
  readonly remove: () => Promise<void>;
}

/** Makes a cluster with the durability of a default installation, and starts it. PostgreSQL refuses root, so root becomes `postgres`. */
export async function startOwnPostgres(settings: readonly string[] = []): Promise<OwnPostgres> {
  const place = await makePlace(settings);
  await place.run('initdb', '-D', place.data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale', 'C.UTF-8');
  const server = serverAt(place);
  await server.start();
  await place.run('createdb', '-h', '127.0.0.1', '-p', String(place.port), '-U', 'postgres', DATABASE);
  return server;
}

/** What a standby follows, and as whom the primary knows it. */
export interface Following {
  readonly host: string;
  readonly port: number;
  readonly name: string;
}

/** A standby of its own, copied from a running primary (`pg_basebackup -X stream`) and following it from then on. */
export async function startStandby(of: Following, settings: readonly string[] = []): Promise<OwnPostgres> {
  const place = await makePlace(settings);
  const from = `host=${of.host} port=${of.port} user=postgres application_name=${of.name}`;
  await place.run('pg_basebackup', '-d', from, '-D', place.data, '-X', 'stream', '--checkpoint=fast', '-R');
  const server = serverAt(place);
  await server.start();
  return server;
}

/** A server that begins with a base backup in tar files and replays an archive of the log up to a moment (docs/operations.md). */
export async function startFromBackup(
  { base, archive, until }: { readonly base: string; readonly archive: string; readonly until: string },
  settings: readonly string[] = [],
): Promise<OwnPostgres> {
  const place = await makePlace(settings);
  await mkdir(place.data, { mode: 0o700 });
  place.give(place.data);
  await place.command('tar', '-xzf', join(base, 'base.tar.gz'), '-C', place.data);
  await place.command('tar', '-xzf', join(base, 'pg_wal.tar.gz'), '-C', join(place.data, 'pg_wal'));
  const wanted = [
    `restore_command = 'cp ${archive}/%f %p'`,
    `recovery_target_time = '${until}'`,
    "recovery_target_action = 'promote'",
  ];
  await appendFile(join(place.data, 'postgresql.auto.conf'), `\n${wanted.join('\n')}\n`);
  await writeFile(join(place.data, 'recovery.signal'), '');
  place.give(join(place.data, 'recovery.signal'));
  const server = serverAt(place);
  await server.start();
  return server;
}

interface Place {
  readonly home: string;
  readonly data: string;
  readonly port: number;
  readonly options: string;
  readonly run: OwnPostgres['run'];
  readonly command: OwnPostgres['run'];
  /** Makes a file belong to who the server runs as. */
  readonly give: (path: string) => void;
}

async function makePlace(settings: readonly string[]): Promise<Place> {
  const programs = programsFolder();
  const home = await mkdtemp(join(tmpdir(), 'tongban-postgres-'));
  const isRoot = userInfo().uid === 0;
  const ids = isRoot
    ? ['-u', '-g'].map((flag) => Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout))
    : [];
  const give = (path: string): void => {
    if (isRoot) chownSync(path, ids[0]!, ids[1]!);
  };
  give(home);
  const command: OwnPostgres['run'] = (...own) =>
    ended(isRoot ? ['runuser', '-u', 'postgres', '--', ...own] : own, home);
  const port = await freePort();
  return {
    home,
    data: join(home, 'data'),
    port,
    options: [`-p ${port}`, '-h 127.0.0.1', `-k ${home}`, ...settings.map((setting) => `-c ${setting}`)].join(' '),
    run: (program, ...args) => command(join(programs, program), ...args),
    command,
    give,
  };
}

/** Runs a program to its end and gives what it printed. The load of a drill goes on meanwhile. */
async function ended([command, ...args]: readonly string[], cwd: string): Promise<string> {
  const child = spawn(command!, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let [printed, complaints] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text;
  });
  // Not `close`: what pg_ctl leaves running has a log of its own, but may keep an inherited pipe open for ever.
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${printed}${complaints}`);
  return printed;
}

function serverAt(place: Place): OwnPostgres {
  const { home, data, port, options, run } = place;
  const log = join(home, 'log');
  const control = (...args: readonly string[]): Promise<string> =>
    run('pg_ctl', '-D', data, '-w', '-t', WAIT_SECONDS, ...args);
  const postmaster = (): number => Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n', 1)[0]);
  let isUp = false;
  const end: OwnPostgres['end'] = async (mode) => {
    await control('-m', mode, 'stop');
    isUp = false;
  };
  /** A drill that is interrupted leaves no server behind. */
  const abandon = (): void => {
    if (isUp) process.kill(postmaster(), 'SIGQUIT');
    rmSync(home, { recursive: true, force: true });
  };
  process.once('exit', abandon);
  return {
    url: `postgres://postgres@127.0.0.1:${port}/${DATABASE}`,
    port,
    end,
    start: async () => {
      await control('-l', log, '-o', options, 'start').catch(async (error: unknown) => {
        const said = await readFile(log, 'utf8').catch(() => '');
        throw new Error(`${String(error)}\n${said.slice(-2000)}`);
      });
      isUp = true;
    },
    promote: async () => void (await control('promote')),
    run,
    folder: async (name) => {
      const folder = join(home, name);
      await mkdir(folder, { mode: 0o700 });
      place.give(folder);
      return folder;
    },
    processorMicroseconds: () => processorMicrosecondsOfAll(postmaster()),
    remove: async () => {
      process.off('exit', abandon);
      if (isUp) await end('immediate');
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
