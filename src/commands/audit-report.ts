import { z } from 'zod';
import { dailyReport, dayOf } from '../ledger/auditing/daily-report.ts';
import { liveVerdict } from '../ledger/auditing/live-verdict.ts';
import { parseVerifierKey } from '../ledger/checkpoints/checkpoint.ts';
import { nowMs, nowSeconds } from '../shared/clock.ts';
import { type AuditContext, type AuditOffice, inOffice } from './audit-office.ts';
import { type ReportPageOptions, renderReport, reportText } from './audit-report-page.ts';
import { type ExitCode, FILE_EXISTS, flag, momentOf, path, Refused, understand } from './audit-words.ts';
import { exists, writePrivateFile } from './private-file.ts';
import { createProgress } from './progress.ts';

export const USAGE = `tongban audit report [--day YYYY-MM-DD] [--out FILE.html [--force]] [--text] [--lang zh|en] [--json]
  the day is one in Beijing, yesterday when left out; without --out the report is text
Exit: 0 the ledger verifies, 1 it does not, 2 it cannot be decided or the command is not understood.
`;

const OPTIONS = {
  day: { type: 'string' },
  out: { type: 'string' },
  force: { type: 'boolean' },
  text: { type: 'boolean' },
  lang: { type: 'string' },
  json: { type: 'boolean' },
} as const;

const DAY_MS = 86_400_000;
const words = z.strictObject({
  day: z
    .string()
    .refine(
      (day) => day.length === '2026-01-01'.length && momentOf(day, 'start') !== undefined,
      '--day is a day like 2026-03-01.',
    )
    .optional(),
  out: path.optional(),
  force: flag,
  text: flag,
  lang: z.enum(['zh', 'en'], '--lang is zh or en.').optional(),
  json: flag,
});

const EXIT: Readonly<Record<'good' | 'tampered' | 'undecided', ExitCode>> = { good: 0, tampered: 1, undecided: 2 };

/**
 * `tongban audit report`: a day of the ledger, and whether all of it verifies. A ledger that does not is reported, not refused: that is
 * what the report is for.
 */
export async function run(args: readonly string[], context: AuditContext): Promise<ExitCode> {
  const { words: asked } = understand(args, OPTIONS, words, USAGE);
  const day = asked.day ?? dayOf(nowMs() - DAY_MS);
  if (day > dayOf(nowMs())) throw new Refused('--day has not begun yet.', 2);
  if (asked.out !== undefined && !asked.force && (await exists(asked.out))) throw new Refused(FILE_EXISTS);
  const work = async ({ house, settle, mismatch }: AuditOffice): Promise<ExitCode> => {
    const { database, ledger, ledgerKey, ledgerReader, config } = house;
    const counting = createProgress(context.stderr, 'entries counted');
    const report = await dailyReport({ reader: ledgerReader, connection: database }, day, counting.at);
    counting.end();
    const verifying = createProgress(context.stderr, 'entries verified');
    const outcome = await liveVerdict(database, ledgerKey.verifierKey, verifying.at);
    verifying.end();
    const { verdict, counts, reason } = outcome;
    await ledger.record({ type: 'audit.verified', details: { verdict, size: counts.size, reason } });
    // What stands on a ledger that is not the one that was signed cannot be signed either.
    if (mismatch === undefined) await settle();
    const options: ReportPageOptions = {
      language: asked.lang === undefined ? context.language : asked.lang === 'en' ? 'en' : 'zh-CN',
      branding: config.branding,
      keyId: parseVerifierKey(ledgerKey.verifierKey)?.keyId.toString('hex') ?? '',
      origin: ledgerKey.origin,
      now: nowSeconds(),
    };
    if (asked.out !== undefined) {
      const written = await writePrivateFile(asked.out, [renderReport(report, outcome, options)], {
        force: asked.force,
      });
      if (written === 'exists') throw new Refused(FILE_EXISTS);
    }
    if (asked.json) context.stdout.write(`${JSON.stringify({ ...report, verification: outcome })}\n`);
    else if (asked.text || asked.out === undefined) context.stdout.write(reportText(report, outcome, options));
    else context.stdout.write(`The report of ${day} is written. ${verdict.toUpperCase()}: ${reason}\n`);
    return EXIT[verdict];
  };
  return inOffice(context, work, { evenIfTampered: true });
}
