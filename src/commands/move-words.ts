import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Compared } from '../storage/moving/move-store.ts';
import { STORE_FILE } from '../store-doors.ts';

/** What an operator asked of `tongban move`. */
export interface MoveWords {
  /** The SQLite file. */
  readonly file: string;
  /** The address of the target; undefined where the configuration names it. */
  readonly to: string | undefined;
  readonly dryRun: boolean;
}

export const USAGE = `Usage:
  tongban move --from sqlite:FILE [--to postgres://...] [--dry-run]
      carries a store from its SQLite file into an empty PostgreSQL and compares them; without --to into TONGBAN_DATABASE_URL.
      Nothing may run on the file meanwhile. Broken off, it goes on where it was when it is run again with the same words.
      --dry-run looks whether it could be done and how much it is, and changes nothing
`;

const OPTIONS = {
  from: { type: 'string' },
  to: { type: 'string' },
  'dry-run': { type: 'boolean', default: false },
} as const;
const SQLITE = /^sqlite:(?:\/\/(?=\/))?(.+)$/;
const POSTGRES = /^postgres(?:ql)?:\/\//;

/** A folder stands for the file a server keeps in it. Undefined for what is not understood. */
export function understand(args: readonly string[]): MoveWords | undefined {
  try {
    const { values } = parseArgs({ args: [...args], options: OPTIONS });
    const [, path] = SQLITE.exec(values.from ?? '') ?? [];
    if (path === undefined || (values.to !== undefined && !POSTGRES.test(values.to))) return undefined;
    const file = resolve(/\.(?:db|sqlite3?)$/.test(path) ? path : `${path}/${STORE_FILE}`);
    return { file, to: values.to, dryRun: values['dry-run'] };
  } catch {
    return undefined;
  }
}

const NAME_WIDTH = 28;
const COUNT_WIDTH = 10;

const line = (name: string, rows: number, rest: string): string =>
  `${name.padEnd(NAME_WIDTH)} ${String(rows).padStart(COUNT_WIDTH)}${rest === '' ? '' : `  ${rest}`}\n`;

/** What would be carried: tables with rows, and how many there are. */
export function describePlan(counts: ReadonlyMap<string, number>, moved: number): string {
  const filled = [...counts].filter(([, rows]) => rows > 0);
  const all = filled.reduce((sum, [, rows]) => sum + rows, 0);
  const sofar = moved === 0 ? '' : ` ${moved} of them are there already.`;
  return `${filled.map(([name, rows]) => line(name, rows, '')).join('')}${all} rows in ${counts.size} tables.${sofar}\n`;
}

/** The tables in which there is something, each with what it adds up to. */
export const describeCompared = (compared: readonly Compared[]): string =>
  compared
    .filter(({ rows, same }) => rows > 0 || !same)
    .map(({ table, rows, digest, same }) => line(table, rows, `${digest}${same ? '' : '  DIFFERS'}`))
    .join('');
