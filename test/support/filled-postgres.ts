import { fillTable } from '../../bench/filled-table.ts';
import { nowSeconds } from '../../src/shared/clock.ts';
import type { Database } from '../../src/storage/database.ts';
import type { RowMaker } from './plausible-rows.ts';

/** What a province has most of: so many rows in each. Of everything else there is a fiftieth. */
const LARGEST = new Set([
  'persons',
  'identity_documents',
  'sign_in_identifiers',
  'passwords',
  'sessions',
  'artifacts',
  'counters',
  'ledger_entries',
  'ledger_index',
]);
/** Never large: what an operator writes or works off by hand, one row a process, what is gone within minutes. */
const SMALL = new Set([
  'settings',
  'keys',
  'relying_parties',
  'staff',
  'nightly_jobs',
  'follower_cursors',
  'ledger_approvals',
  'consent_notices',
  'factor_challenges',
  'scans',
  'incidents',
]);
const ROWS_OF_SMALL = 20;

/** How columns are filled where the shape alone would be implausible: mostly over, mostly not yet, a few waiting. */
const SPREAD: readonly (readonly [RegExp, (now: number) => string])[] = [
  [/^outbox\.state$/, () => "CASE WHEN n % 1000 = 0 THEN 'waiting' ELSE 'delivered' END"],
  [/^artifacts\.model$/, () => "(ARRAY['AccessToken', 'RefreshToken', 'Grant', 'Consumed', 'Interaction'])[1 + n % 5]"],
  [/^recoveries\.state$/, () => "CASE WHEN n % 1000 = 0 THEN 'waiting' ELSE 'completed' END"],
  [/^legal_person_claims\.status$/, () => "CASE WHEN n % 1000 = 0 THEN 'pending' ELSE 'approved' END"],
  [/^incidents\.status$/, () => "CASE WHEN n % 100 = 0 THEN 'open' ELSE 'closed' END"],
  [/^person_merges\.state$/, () => "CASE WHEN n % 1000 = 0 THEN 'open' ELSE 'final' END"],
  [/^ledger_entries\.seq$/, () => 'n - 1'],
  [
    /\.(ended|consumed|held|used|replayed|finished|milestone|fourteen|taken)_at$/,
    (now) => `CASE WHEN n % 50 = 0 THEN ${now} - n % 100000 END`,
  ],
  [
    /\.(expires_at|valid_until|keep_until|undo_until|waits_until|stands_until|due_at)$/,
    (now) => `${now} + n % 1000000 - 1000`,
  ],
  [/_at$|\.at$|_from$/, (now) => `${now} - n % 1000000`],
];

function expressionOf(table: string, { name, type, notnull, fill }: RowMaker['columns'][number], now: number): string {
  const [, spread] = SPREAD.find(([pattern]) => pattern.test(`${table}.${name}`)) ?? [];
  if (spread !== undefined && fill.kind !== 'null' && (type !== 'TEXT' || /state|status|model/.test(name))) {
    const value = spread(now);
    return notnull === 1 && value.startsWith('CASE') && type !== 'TEXT' ? `${now} - n % 100000` : value;
  }
  if (fill.kind === 'prefix') return `'${fill.prefix}' || n`;
  if (fill.kind === 'constant') return typeof fill.value === 'number' ? String(fill.value) : `'${fill.value}'`;
  if (fill.kind === 'number') return 'n';
  return fill.kind === 'null' ? 'NULL' : "decode('00', 'hex')";
}

/** Fills every table, and resolves with how many rows each was given. */
export async function fillPostgres(
  database: Database,
  makers: readonly RowMaker[],
  rowsMax: number,
): Promise<ReadonlyMap<string, number>> {
  const now = nowSeconds();
  const given = new Map<string, number>();
  // Nothing of it outlives the test, so nothing of it goes to the log; whoever refers to others comes first, as PostgreSQL demands.
  for (const { table } of makers.toReversed()) await database.run(`ALTER TABLE ${table} SET UNLOGGED`, []);
  for (const { table, columns } of makers) {
    const rows = SMALL.has(table) ? ROWS_OF_SMALL : LARGEST.has(table) ? rowsMax : Math.round(rowsMax / 50);
    given.set(table, rows);
    const from = table === 'persons' ? 0 : 1;
    const values = columns.map((column) => expressionOf(table, column, now)).join(', ');
    const names = columns.map(({ name }) => name).join(', ');
    await fillTable(
      database,
      table,
      `INSERT INTO ${table} (${names}) SELECT ${values} FROM generate_series(${from}, ${rows}) AS s (n)`,
    );
    await database.run(`ANALYZE ${table}`, []);
  }
  return given;
}
