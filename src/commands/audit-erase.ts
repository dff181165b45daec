import { z } from 'zod';
import type { PersonStatus } from '../people/person-status.ts';
import { firstLine } from './audit-filter.ts';
import { type AuditContext, inOffice } from './audit-office.ts';
import { actorName, type ExitCode, flag, identifier, Refused, reason, understand } from './audit-words.ts';

export const USAGE = `tongban audit erase --person-id ID --by NAME --reason TEXT [--force-active] [--yes] [--json]
  destroys the key of what the ledger says about a person: addresses, browsers and other personal values can never be read again;
  every entry stays, and so does every proof
`;

const OPTIONS = {
  'person-id': { type: 'string' },
  by: { type: 'string' },
  reason: { type: 'string' },
  'force-active': { type: 'boolean' },
  yes: { type: 'boolean' },
  json: { type: 'boolean' },
} as const;

const words = z.strictObject({
  'person-id': identifier('--person-id'),
  by: actorName,
  reason,
  'force-active': flag,
  yes: flag,
  json: flag,
});

/** What nobody can use any more. */
const SHUT: readonly PersonStatus[] = ['disabled', 'closed', 'merged'];

const CONFIRMATION = 'erase';
const ANSWER_BYTES_MAX = 64;
const WARNING = `This destroys, for ever, the key of everything personal the ledger holds about this person. The law asks to keep logs for a
time (ledger.retentionDays); do this only when that time is over or an authority has ordered it.
`;

/** `tongban audit erase`: the key goes in the same transaction in which the ledger says that it went. */
export async function run(args: readonly string[], context: AuditContext): Promise<ExitCode> {
  const { words: asked } = understand(args, OPTIONS, words, USAGE);
  return inOffice<ExitCode>(context, async ({ house, settle }) => {
    const { database, ledger, openings, persons } = house;
    const personId = asked['person-id'];
    const person = await persons.find(personId);
    if (person !== undefined && !SHUT.includes(person.status) && !asked['force-active']) {
      throw new Refused(
        'The account can still be used: while it is, the ledger must be able to say who did what. Disable the person first, or say --force-active when an authority has ordered it.',
      );
    }
    if (!asked.yes) await confirm(context);
    const erased = await database.write(async (tx) => {
      if (!(await openings.erase(tx, personId))) return false;
      const details = { origin: `${asked.by} (${context.operator})`, reason: asked.reason };
      await ledger.append(tx, { type: 'person.erased', personId, details });
      return true;
    });
    if (!erased) {
      throw new Refused(
        'The ledger holds no key of such a person: nothing personal was recorded, or it is erased already.',
      );
    }
    await settle();
    const said = { personId, erased: true };
    const sentence = 'Erased. The entries and their proofs stay; what they said of the person cannot be read any more.';
    context.stdout.write(asked.json ? `${JSON.stringify(said)}\n` : `${sentence}\n`);
    return 0;
  });
}

async function confirm({ stdin, stderr }: AuditContext): Promise<void> {
  stderr.write(`${WARNING}Type ${CONFIRMATION} to go on: `);
  const answer = await firstLine(stdin, ANSWER_BYTES_MAX);
  if (answer.trim().toLowerCase() !== CONFIRMATION) throw new Refused('Nothing was erased.');
}
