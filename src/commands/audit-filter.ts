import { isIP } from 'node:net';
import { z } from 'zod';
import type { House } from '../app.ts';
import type { EntryFilter } from '../ledger/auditing/search.ts';
import { type IdNumber, parseIdNumber } from '../people/id-number.ts';
import type { AuditContext } from './audit-office.ts';
import { eventTypes, flag, identifier, moment, Refused } from './audit-words.ts';

/** The options by which entries are chosen, the same for searches and exports. */
export const FILTER_OPTIONS = {
  person: { type: 'boolean' },
  'person-id': { type: 'string' },
  client: { type: 'string' },
  type: { type: 'string' },
  outcome: { type: 'string' },
  address: { type: 'string' },
  from: { type: 'string' },
  to: { type: 'string' },
} as const;

export const FILTER_WORDS = {
  person: flag,
  'person-id': identifier('--person-id').optional(),
  client: identifier('--client').optional(),
  type: eventTypes.optional(),
  outcome: z.enum(['success', 'failure'], '--outcome is success or failure.').optional(),
  address: z
    .string()
    .refine((text) => isIP(text) !== 0, '--address is an IPv4 or IPv6 address.')
    .optional(),
  from: moment('--from', 'start').optional(),
  to: moment('--to', 'end').optional(),
};

const filterWords = z.strictObject(FILTER_WORDS);
export type FilterWords = z.infer<typeof filterWords>;

/** What is looked for, how the ledger names it, and whether there can be any match at all. */
export interface Wanted {
  readonly filter: EntryFilter;
  /** Filters by name; with their values where those are not personal. */
  readonly names: readonly string[];
  /** The ID number belongs to nobody here. */
  readonly isNobody: boolean;
}

const NUMBER_BYTES_MAX = 256;

/** Throws `Refused` for filters that contradict each other and for an ID number that is none. */
export async function wantedBy(
  words: FilterWords,
  { stdin, stderr }: Pick<AuditContext, 'stdin' | 'stderr'>,
  { persons }: Pick<House, 'persons'>,
): Promise<Wanted> {
  const { person, client, type, outcome, address, from, to } = words;
  if (person && words['person-id'] !== undefined) throw new Refused('Give --person or --person-id, not both.', 2);
  if (from !== undefined && to !== undefined && from >= to) throw new Refused('--from is not before --to.', 2);
  const found = person ? await persons.findByIdNumber(await readIdNumber(stdin, stderr)) : undefined;
  const personId = found?.id ?? words['person-id'];
  const names = [
    ...(person || personId !== undefined ? ['person'] : []),
    ...(address === undefined ? [] : ['address']),
    ...(client === undefined ? [] : [`client=${client}`]),
    ...(type ?? []).map((one) => `type=${one}`),
    ...(outcome === undefined ? [] : [`outcome=${outcome}`]),
    ...(from === undefined ? [] : [`from=${new Date(from).toISOString()}`]),
    ...(to === undefined ? [] : [`to=${new Date(to).toISOString()}`]),
  ];
  const filter = { personId, address, clientId: client, types: type, outcome, fromMs: from, toMs: to };
  return { filter, names, isNobody: person && found === undefined };
}

async function readIdNumber(stdin: AuditContext['stdin'], stderr: AuditContext['stderr']): Promise<IdNumber> {
  if (stdin.isTTY) stderr.write('ID number: ');
  const line = await firstLine(stdin, NUMBER_BYTES_MAX);
  const outcome = parseIdNumber(line);
  if (outcome.ok) return outcome.number;
  throw new Refused(`Standard input does not begin with a valid ID number (${outcome.reason}).`, 2);
}

/** The first line of standard input, or what there is of it in `bytesMax` bytes. */
export async function firstLine(stdin: AuditContext['stdin'], bytesMax: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stdin) {
    const piece = Buffer.from(chunk);
    chunks.push(piece);
    bytes += piece.length;
    if (piece.includes(0x0a) || bytes > bytesMax) break;
  }
  return Buffer.concat(chunks).toString('utf8', 0, bytesMax).split(/\r?\n/, 1)[0] ?? '';
}
