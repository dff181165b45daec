import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { z } from 'zod';
import { EVENTS } from '../ledger/events.ts';
import { visibleText } from '../web/visible-text.ts';

/** 0 done, 1 refused (a sentence on stderr), 2 not understood. */
export type ExitCode = 0 | 1 | 2;

/** What ends an audit command: sentences for whoever typed it. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly exitCode: ExitCode;

  constructor(sentences: string, exitCode: ExitCode = 1) {
    super(sentences);
    this.exitCode = exitCode;
  }
}

export const FILE_EXISTS = 'There is a file of this name; it was left as it is. --force replaces it.';

const TEXT_LENGTH_MAX = 4096;
const REASON_LENGTH_MIN = 8;
const REASON_LENGTH_MAX = 500;
const NAME_LENGTH_MAX = 64;
const ID_LENGTH_MAX = 255;
const BEIJING = '+08:00';
/** 17 digits and a check character, also in full-width form or with blanks between: what no command line and no reason may hold. */
const ID_NUMBER = /(?<!\d)\d{17}[\dX](?!\d)/i;

export const holdsIdNumber = (text: string): boolean => ID_NUMBER.test(text.normalize('NFKC').replaceAll(/[\s-]/g, ''));

/**
 * The options of a command line as its schema reads them, and its operands. Throws `Refused` with exit code 2 and one sentence for
 * each fault. An ID number anywhere on the line is refused unread: command lines are visible to every process and kept in histories.
 */
export function understand<Words>(
  args: readonly string[],
  options: ParseArgsOptionsConfig,
  schema: z.ZodType<Words>,
  usage: string,
  operandCount = 0,
): { readonly words: Words; readonly operands: readonly string[] } {
  if (args.some(holdsIdNumber)) {
    throw new Refused(
      'An ID number does not belong on a command line. Give --person and type it on standard input.',
      2,
    );
  }
  const { values, positionals } = parsed(args, options, usage);
  if (positionals.length !== operandCount) throw new Refused(usage.trimEnd(), 2);
  const read = schema.safeParse(values);
  if (read.success) return { words: read.data, operands: positionals };
  throw new Refused(read.error.issues.map(({ message }) => message).join('\n'), 2);
}

function parsed(args: readonly string[], options: ParseArgsOptionsConfig, usage: string) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw new Refused(
      `${error instanceof Error ? visibleText(error.message) : 'Not understood.'}\n${usage.trimEnd()}`,
      2,
    );
  }
}

export const flag = z.boolean().default(false);
export const path = z.string().min(1, 'A file name is empty.').max(TEXT_LENGTH_MAX, 'A file name is too long.');

const clean = (text: string): string => visibleText(text).replaceAll(/\s+/g, ' ').trim();

/** The lawful ground of what an auditor does: it stays in the ledger for as long as the act does. */
export const reason = z
  .string('--reason is missing: say on which ground, in 8 to 500 characters.')
  .max(TEXT_LENGTH_MAX, '--reason is too long.')
  .transform(clean)
  .refine(
    (text) => text.length >= REASON_LENGTH_MIN && text.length <= REASON_LENGTH_MAX,
    '--reason says on which ground, in 8 to 500 characters.',
  );

/** Who acts, in their own words. */
export const actorName = z
  .string('--by is missing: say who acts.')
  .max(TEXT_LENGTH_MAX, '--by is too long.')
  .transform(clean)
  .refine((name) => name !== '' && name.length <= NAME_LENGTH_MAX, '--by is a name of 1 to 64 characters.');

export const identifier = (option: string) =>
  z
    .string(`${option} is missing.`)
    .min(1, `${option} is empty.`)
    .max(ID_LENGTH_MAX, `${option} is too long.`)
    .refine((text) => visibleText(text) === text, `${option} holds characters that cannot be seen.`);

export const wholeNumber = (option: string, min: number, max: number) =>
  z
    .string()
    .regex(/^(?:0|[1-9]\d{0,15})$/, `${option} is a whole number.`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `${option} is a number from ${min} to ${max}.`);

/** Types of events with commas between; `sign-in.*` means all that begin so. */
export const eventTypes = z
  .string()
  .max(TEXT_LENGTH_MAX, '--type is too long.')
  .transform((text) => text.split(',').map((type) => type.trim()))
  .refine(
    (types) => types.every(isKnownType),
    '--type names events of docs/events.md with commas between; sign-in.* means all that begin so.',
  );

function isKnownType(wanted: string): boolean {
  if (!wanted.endsWith('*')) return Object.hasOwn(EVENTS, wanted);
  const beginning = wanted.slice(0, -1);
  return /^[a-z.-]*$/.test(beginning) && Object.keys(EVENTS).some((type) => type.startsWith(beginning));
}

const MOMENT =
  /^(?<day>\d{4}-\d{2}-\d{2})(?:[T ](?<minute>\d{2}:\d{2})(?<second>:\d{2}(?:\.\d{1,3})?)?(?<zone>Z|[+-]\d{2}:\d{2})?)?$/;

/**
 * A moment as people write it, in epoch milliseconds: `2026-03-01T08:30`, with seconds, with `Z` or an offset; without one it is
 * Beijing time. A day alone is its beginning, or its end where a time ends.
 */
export const moment = (option: string, edge: 'start' | 'end') =>
  z.string().transform((text, context) => {
    const ms = momentOf(text, edge);
    if (ms !== undefined) return ms;
    context.addIssue({
      code: 'custom',
      message: `${option} is a time like 2026-03-01 or 2026-03-01T08:30 (Beijing) or with Z.`,
    });
    return z.NEVER;
  });

export function momentOf(text: string, edge: 'start' | 'end'): number | undefined {
  const { day, minute, second = ':00', zone = BEIJING } = MOMENT.exec(text)?.groups ?? {};
  if (day === undefined || !existsInCalendar(day)) return undefined;
  if (minute !== undefined) {
    const ms = Date.parse(`${day}T${minute}${second}${zone}`);
    return Number.isNaN(ms) ? undefined : ms;
  }
  return Date.parse(`${day}T00:00:00${BEIJING}`) + (edge === 'end' ? 86_400_000 : 0);
}

function existsInCalendar(day: string): boolean {
  const ms = Date.parse(`${day}T00:00:00Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(day);
}
