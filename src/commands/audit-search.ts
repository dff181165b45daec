import { z } from 'zod';
import { reveal } from '../ledger/auditing/revealing.ts';
import { createLedgerSearch, type Match } from '../ledger/auditing/search.ts';
import { FILTER_OPTIONS, FILTER_WORDS, wantedBy } from './audit-filter.ts';
import { type AuditContext, type AuditOffice, inOffice } from './audit-office.ts';
import { auditMessages, matchTable, type ShownMatch } from './audit-table.ts';
import { type ExitCode, flag, reason, understand, wholeNumber } from './audit-words.ts';
import { createProgress } from './progress.ts';

export const USAGE = `tongban audit search [--person | --person-id ID] [--client ID] [--type T,T*] [--outcome success|failure] [--address IP]
                     [--from TIME] [--to TIME] [--limit N] [--open] [--json] --reason TEXT
  --person   the ID number is read from standard input, never from the command line
  --open     shows personal values; the ledger records that they were shown, and why
  TIME       2026-03-01, 2026-03-01T08:30 (Beijing), 2026-03-01T00:30:00Z
`;

const OPTIONS = {
  ...FILTER_OPTIONS,
  limit: { type: 'string' },
  open: { type: 'boolean' },
  json: { type: 'boolean' },
  reason: { type: 'string' },
} as const;

const LIMIT = '100';
const LIMIT_MAX = 10_000;
const words = z.strictObject({
  ...FILTER_WORDS,
  limit: wholeNumber('--limit', 1, LIMIT_MAX).default(Number(LIMIT)),
  open: flag,
  json: flag,
  reason,
});

/**
 * `tongban audit search`: finds entries and shows them. That somebody searched, for what kind of thing, with how many matches and on
 * which ground is signed in the ledger before the first match is shown; when that fails nothing is shown.
 */
export async function run(args: readonly string[], context: AuditContext): Promise<ExitCode> {
  const { words: asked } = understand(args, OPTIONS, words, USAGE);
  return inOffice<ExitCode>(context, async (office) => {
    const { house } = office;
    const { limit, open, json, reason: ground, ...filters } = asked;
    const { filter, names, isNobody } = await wantedBy(filters, context, house);
    const progress = createProgress(context.stderr, 'entries');
    const found = isNobody
      ? { matches: [], more: false }
      : await createLedgerSearch(house.ledgerReader).newest(filter, limit, progress.at);
    progress.end();
    const { matches, more } = found;
    await record(office, { personId: filter.personId, names, ground, matches, open });
    const shown = await revealed(office, matches, open);
    if (json) for (const match of shown) context.stdout.write(`${JSON.stringify(viewOf(match))}\n`);
    else if (shown.length > 0) context.stdout.write(matchTable(shown, context.language));
    const said = auditMessages(context.language);
    if (!json) context.stdout.write(`${said.found(shown.length)}${more ? said.more : ''}\n`);
    else if (more) context.stderr.write('There are older matches: raise --limit or narrow the time.\n');
    return 0;
  });
}

interface Search {
  readonly personId: string | undefined;
  readonly names: readonly string[];
  readonly ground: string;
  readonly matches: readonly Match[];
  readonly open: boolean;
}

async function record(
  { house, settle }: AuditOffice,
  { personId, names, ground, matches, open }: Search,
): Promise<void> {
  const { database, ledger } = house;
  const details = { filters: open ? [...names, 'opened'] : names, matches: matches.length, reason: ground };
  await database.write(async (tx) => {
    await ledger.append(tx, { type: 'audit.search', personId, details });
    if (!open) return;
    const fields = ['ip', 'ua', 'data'];
    await ledger.append(tx, { type: 'personal-data.revealed', personId, details: { fields, reason: ground } });
  });
  await settle();
}

async function revealed(
  { house }: AuditOffice,
  matches: readonly Match[],
  open: boolean,
): Promise<readonly ShownMatch[]> {
  const shown: ShownMatch[] = [];
  for (const match of matches) {
    const sources = { reader: house.ledgerReader, connection: house.database };
    shown.push({ ...match, revealed: open ? await reveal(match, sources) : {} });
  }
  return shown;
}

const viewOf = ({ stored, entry, revealed: opened }: ShownMatch): Readonly<Record<string, unknown>> => ({
  seq: stored.seq,
  entry,
  ...(Object.keys(opened).length === 0 ? {} : { opened }),
});
