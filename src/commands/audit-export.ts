import { z } from 'zod';
import { exportTable, exportWithProofs, type Selection } from '../ledger/auditing/export.ts';
import { createLedgerSearch, type LedgerSearch, type OnProgress, type Span } from '../ledger/auditing/search.ts';
import { type SignedTree, signedTree } from '../ledger/auditing/signed-tree.ts';
import { Fault } from '../shared/fault.ts';
import { FILTER_OPTIONS, FILTER_WORDS, type Wanted, wantedBy } from './audit-filter.ts';
import { type AuditContext, inOffice } from './audit-office.ts';
import { type ExitCode, FILE_EXISTS, flag, path, Refused, reason, understand, wholeNumber } from './audit-words.ts';
import { exists, writePrivateFile } from './private-file.ts';
import { createProgress } from './progress.ts';

export const USAGE = `tongban audit export --out FILE [--format jsonl|csv] [--from-seq N] [--to-seq N] [--from TIME] [--to TIME]
                     [--person | --person-id ID] [--client ID] [--type T,T*] [--outcome success|failure] [--address IP]
                     [--open] [--force] [--json] --reason TEXT
  jsonl      entries with the proofs that they stand in the signed ledger; check it with tongban audit verify --export FILE
  csv        a table for a spreadsheet; it proves nothing
  --to-seq   exclusive; without any filter everything from --from-seq on is exported
  --open     personal values are exported too; the ledger records that, and why
`;

const OPTIONS = {
  ...FILTER_OPTIONS,
  out: { type: 'string' },
  format: { type: 'string' },
  'from-seq': { type: 'string' },
  'to-seq': { type: 'string' },
  open: { type: 'boolean' },
  force: { type: 'boolean' },
  json: { type: 'boolean' },
  reason: { type: 'string' },
} as const;

const SEQ_MAX = Number.MAX_SAFE_INTEGER;
/** Numbers of chosen entries are held in memory before the first is written: 8 MB. */
const RECORDS_MAX = 1_000_000;
const words = z.strictObject({
  ...FILTER_WORDS,
  out: z.string('--out is missing: name the file to write.').pipe(path),
  format: z.enum(['jsonl', 'csv'], '--format is jsonl or csv.').default('jsonl'),
  'from-seq': wholeNumber('--from-seq', 0, SEQ_MAX).optional(),
  'to-seq': wholeNumber('--to-seq', 0, SEQ_MAX).optional(),
  open: flag,
  force: flag,
  json: flag,
  reason,
});
type Words = z.infer<typeof words>;

/**
 * `tongban audit export`: a part of the ledger in one file that only its owner may read. Who took out what and why is signed in the
 * ledger before the first byte is written.
 */
export async function run(args: readonly string[], context: AuditContext): Promise<ExitCode> {
  const { words: asked } = understand(args, OPTIONS, words, USAGE);
  if (!asked.force && (await exists(asked.out))) throw new Refused(FILE_EXISTS);
  return inOffice<ExitCode>(context, async ({ house, settle }) => {
    const { out, format, open, force, json, reason: ground, 'from-seq': fromSeq, 'to-seq': toSeq, ...filters } = asked;
    const { database, ledger, ledgerReader: reader, ledgerKey } = house;
    const wanted = await wantedBy(filters, context, house);
    const tree = await signedTree(database);
    if (tree === undefined) throw new Fault('ledger_mismatch', 'The ledger has no checkpoint although it was signed.');
    const search = createLedgerSearch(reader);
    const looking = createProgress(context.stderr, 'entries looked at');
    const span = await spanOf(search, tree, { fromSeq, toSeq });
    const selection = await select(search, { wanted, span, onProgress: looking.at });
    looking.end();
    const { from, to, count } = frameOf(selection);
    const kind = format === 'csv' ? 'csv' : selection.kind;
    const personId = wanted.filter.personId;
    await database.write(async (tx) => {
      const details = { from, to, count, format: kind, opened: open, reason: ground };
      await ledger.append(tx, { type: 'audit.export', personId, details });
      if (!open) return;
      const fields = ['ip', 'ua', 'data'];
      await ledger.append(tx, { type: 'personal-data.revealed', personId, details: { fields, reason: ground } });
    });
    await settle();
    const writing = createProgress(context.stderr, 'entries written');
    const sources = { reader, connection: database, tree, origin: ledgerKey.origin, key: ledgerKey.verifierKey };
    const wish = { selection, open, onProgress: writing.at };
    const pieces = format === 'csv' ? exportTable(sources, wish) : exportWithProofs(sources, wish);
    const outcome = await writePrivateFile(out, pieces, { force });
    writing.end();
    if (outcome === 'exists') throw new Refused(FILE_EXISTS);
    const said = { file: out, kind, from, to, count, size: tree.size };
    context.stdout.write(
      json ? `${JSON.stringify(said)}\n` : `${sentence({ ...said, kind: selection.kind }, format)}\n`,
    );
    return 0;
  });
}

function sentence(
  {
    kind,
    from,
    to,
    count,
    size,
  }: { readonly kind: string } & Readonly<Record<'from' | 'to' | 'count' | 'size', number>>,
  format: Words['format'],
): string {
  const what = kind === 'range' ? `entries ${from} to before ${to}` : `${count} chosen entries`;
  const proof =
    format === 'csv'
      ? 'A table proves nothing: export as jsonl for that.'
      : `Proven against the checkpoint of size ${size}; check it with: tongban audit verify --export FILE --key KEY`;
  return `Exported ${what}. ${proof}`;
}

async function spanOf(
  search: LedgerSearch,
  { size }: SignedTree,
  { fromSeq, toSeq }: { readonly fromSeq: number | undefined; readonly toSeq: number | undefined },
): Promise<Span> {
  const { start } = await search.stored();
  const span = { start: fromSeq ?? start, end: toSeq ?? size };
  if (span.start < start) throw new Refused(`Entries before ${start} were removed after their retention; begin there.`);
  if (span.end > size) throw new Refused(`The signed ledger ends before ${size}; --to-seq is beyond it.`);
  if (span.start >= span.end) throw new Refused('--from-seq is not before --to-seq.', 2);
  return span;
}

interface SelectCase {
  readonly wanted: Wanted;
  readonly span: Span;
  readonly onProgress: OnProgress;
}

/** Times alone choose a range without gaps, which is proven in a thousandth of the bytes; everything else chooses single entries. */
async function select(search: LedgerSearch, { wanted, span, onProgress }: SelectCase): Promise<Selection> {
  const { filter, names, isNobody } = wanted;
  if (isNobody) return { kind: 'records', numbers: [] };
  if (names.every((name) => /^(?:from|to)=/.test(name))) {
    const { fromMs, toMs } = filter;
    const start = fromMs === undefined ? span.start : await search.firstAt(fromMs, span);
    const end = toMs === undefined ? span.end : await search.firstAt(toMs, span);
    if (start >= end) throw new Refused('No entry is dated within this time.');
    return { kind: 'range', span: { start, end } };
  }
  const numbers: number[] = [];
  for await (const { stored } of search.matches(filter, onProgress)) {
    if (stored.seq < span.start) break;
    if (stored.seq >= span.end) continue;
    if (numbers.length === RECORDS_MAX) {
      throw new Refused(`More than ${RECORDS_MAX} entries match: narrow the time, or export all entries of it.`);
    }
    numbers.push(stored.seq);
  }
  return { kind: 'records', numbers: numbers.reverse() };
}

function frameOf(selection: Selection): { readonly from: number; readonly to: number; readonly count: number } {
  if (selection.kind === 'range') {
    const { start, end } = selection.span;
    return { from: start, to: end, count: end - start };
  }
  const { numbers } = selection;
  return { from: numbers[0] ?? 0, to: (numbers.at(-1) ?? -1) + 1, count: numbers.length };
}
