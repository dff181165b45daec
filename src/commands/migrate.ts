import { parseArgs } from 'node:util';
import type { PrepareOutcome } from '../config/prepare.ts';
import { Fault } from '../shared/fault.ts';
import { pendingMigrations } from '../storage/migrate.ts';
import type { Migration } from '../storage/migration.ts';
import { type DatabaseLocation, migrateStore } from '../storage/open.ts';
import { readSqlite } from '../storage/sqlite-reading.ts';
import { storeOf } from '../store-doors.ts';
import { exists } from './private-file.ts';

export interface MigrateContext {
  /** The configuration in force; `writes` says whether it may make the data folder and the secrets. */
  readonly prepare: (writes: boolean) => PrepareOutcome;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

/** 0 done, 1 refused (a sentence on stderr), 2 not understood (the usage on stderr) or a wrong configuration. */
export type ExitCode = 0 | 1 | 2;

export const USAGE = `Usage:
  tongban migrate            brings the store to this version, forward only, beside nodes of the version before
  tongban migrate --dry-run  lists what would run, with every statement; changes nothing
`;

/** `tongban migrate ...`. Resolves with the exit code. */
export async function run(args: readonly string[], { prepare, stdout, stderr }: MigrateContext): Promise<ExitCode> {
  const dryRun = understand(args);
  if (dryRun === undefined) {
    stderr.write(USAGE);
    return 2;
  }
  const prepared = prepare(!dryRun);
  if (!prepared.ok) {
    stderr.write(`${prepared.sentences.join('\n')}\n`);
    return prepared.exitCode;
  }
  const location = storeOf(prepared.config);
  try {
    if (dryRun) {
      const engine = 'file' in location ? 'sqlite' : 'postgres';
      stdout.write(describe(await pendingIn(location), engine));
      return 0;
    }
    const done = await migrateStore(location, ({ id, name, tookMs }, leftCount) => {
      stdout.write(`${numbered({ id, name })}  ${tookMs} ms${leftCount === 0 ? '' : `, ${leftCount} to go`}\n`);
    });
    stdout.write(done.length === 0 ? UP_TO_DATE : `${counted(done.length)} done. The store is of this version.\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    stderr.write(`${error.forOperator}\n`);
    return 1;
  }
}

const UP_TO_DATE = 'The store is of this version; there is nothing to do.\n';

function understand(args: readonly string[]): boolean | undefined {
  try {
    const { values } = parseArgs({ args: [...args], options: { 'dry-run': { type: 'boolean', default: false } } });
    return values['dry-run'];
  } catch {
    return undefined;
  }
}

/** Reads the journal alone: a file that is not there yet is not made. */
async function pendingIn(location: DatabaseLocation): Promise<readonly Migration[]> {
  if (!('file' in location)) {
    const { openPostgres } = await import('../storage/postgres.ts');
    const database = await openPostgres({ ...location, poolMax: 1 });
    return pendingMigrations(database).finally(() => database.close());
  }
  if (!(await exists(location.file))) return pendingMigrations({ all: async () => [] });
  return readSqlite(location.file, pendingMigrations);
}

function describe(pending: readonly Migration[], engine: 'sqlite' | 'postgres'): string {
  if (pending.length === 0) return UP_TO_DATE;
  const steps = pending.map(
    (step) =>
      `-- ${numbered(step)}\n${step
        .statements(engine)
        .map((statement) => `${statement};\n`)
        .join('')}`,
  );
  return `${steps.join('\n')}-- ${counted(pending.length)} would run. Nothing was changed.\n`;
}

const numbered = ({ id, name }: { readonly id: number; readonly name: string }): string =>
  `${String(id).padStart(4, '0')} ${name}`;

const counted = (count: number): string => (count === 1 ? '1 step' : `${count} steps`);
