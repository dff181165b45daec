import { isUtf8 } from 'node:buffer';
import type { PreparedPassword } from '../factors/password.ts';
import { judgePassword, type PasswordRefusal } from '../factors/password-policy.ts';
import type { IdentityDocument } from '../people/documents/document.ts';
import { factsOfDocument } from '../people/documents/parse.ts';
import type { PersonDetails } from '../people/person-details.ts';
import { type PersonCommandContext, type Refusal, refuse } from './person-words.ts';

const STDIN_BYTES_MAX = 4096;

const PASSWORD_REFUSALS: Readonly<Record<PasswordRefusal, string>> = {
  ill_formed: 'The password is not well-formed text.',
  too_short: 'The password is too short.',
  too_long: 'The password is too long.',
  kinds: 'The password has too few kinds of characters: capitals, small letters, digits, others.',
  common: 'The password is one that attackers try first.',
  personal: 'The password holds a part of the ID number, birth date, phone number or name.',
  context: 'The password leans on the name of this service.',
};

/** Takes the password of a new account from standard input, judged by what is known of its owner, and prepares it. */
export async function passwordFor(
  document: IdentityDocument,
  details: Partial<PersonDetails>,
  context: PersonCommandContext,
): Promise<PreparedPassword | Refusal> {
  const password = await firstLine(context.stdin);
  if (password === undefined) return refuse('Standard input is not UTF-8 text, or too long for a password.');
  const { birthDate } = factsOfDocument(document);
  const breached = await context.passwords.isBreached(password);
  const known = { ...details, idNumber: document.number, birthDate, words: context.contextWords, breached };
  const judged = judgePassword(password, context.passwordLengths, known);
  if (!judged.ok) return refuse(PASSWORD_REFUSALS[judged.reason]);
  const prepared = await context.passwords.prepare(password);
  return prepared === 'busy' ? refuse('The server is busy; nothing was changed. Try again.') : prepared;
}

/** The first line of standard input, or undefined when there is more than any password needs, or it is not UTF-8. */
export async function firstLine(stdin: AsyncIterable<Uint8Array | string>): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stdin) {
    chunks.push(Buffer.from(chunk));
    bytes += chunk.length;
    if (bytes > STDIN_BYTES_MAX) return undefined;
  }
  const typed = Buffer.concat(chunks);
  return isUtf8(typed) ? typed.toString('utf8').split(/\r?\n/, 1)[0] : undefined;
}
