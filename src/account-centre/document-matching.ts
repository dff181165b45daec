import type { IdentityDocument } from '../people/documents/document.ts';
import type { HeldDocument } from '../people/held-documents.ts';
import { documentOfIdNumber, parseIdNumber } from '../people/id-number.ts';
import { type AssuranceLevel, levelEarned, PROOFS, proofOfSource } from '../proofing/levels.ts';
import type { Visitor } from './account-form.ts';
import type { AccountCentreSources, Visit } from './doors.ts';

/** Name and number matched with an authority. */
const MATCHED = PROOFS['two-factor-match'];
const TRIES_DAILY = 10;
const DAY_SECONDS = 86_400;
/** Documents the population register knows by name and number. Every other is shown at a counter: nobody would vouch for what is typed. */
const MATCHABLE: ReadonlySet<string> = new Set(['resident_id_card', 'hmt_residence_permit']);

export const isMatchable = ({ document }: HeldDocument): boolean => MATCHABLE.has(document.type);

/** Whether a person keeps a document at least as well proven when this one leaves: their level must not rest on nothing. */
export function mayLeave(held: readonly HeldDocument[], documentId: string): boolean {
  const leaving = held.find(({ id }) => id === documentId);
  return leaving !== undefined && held.some(({ id, proof }) => id !== documentId && proof.level >= leaving.proof.level);
}

/**
 * Asks the register about a number and the person's own name, some times a day at most. `no_name`: whoever gave no name has nothing to
 * be matched by.
 */
async function matched(
  { personId, profile }: Visitor,
  { number, type }: Pick<IdentityDocument, 'number' | 'type'>,
  { population, counters }: AccountCentreSources,
): Promise<'match' | 'mismatch' | 'unavailable' | 'too_many' | 'no_name'> {
  if (profile.name === undefined) return 'no_name';
  if (population === undefined) return 'unavailable';
  const tries = await counters.take(`document-match:${personId}`, DAY_SECONDS);
  if (tries > TRIES_DAILY) return 'too_many';
  return population.check({ idNumber: number, name: profile.name, documentType: type });
}

/**
 * Adds an ID number that the register knows under the person's name. Resolves with `added`, or with what is wrong. A number somebody
 * holds already is answered like one that does not match: who is here is not to be found out (D9).
 */
export async function addIdNumber(
  visitor: Visitor,
  typed: string,
  visit: Visit,
  sources: AccountCentreSources,
): Promise<string> {
  const { persons, ledger } = sources;
  const parsed = parseIdNumber(typed);
  if (!parsed.ok) return `id_number_${parsed.reason}`;
  const { personId } = visitor;
  const refuse = async (reason: string, code: string): Promise<string> => {
    await ledger.record({ ...visit, type: 'document.refused', outcome: 'failure', personId, details: { reason } });
    return code;
  };
  // A person has one citizen number, and who lives here with a permit has one of these.
  if ((await persons.documents(personId)).some(isMatchable)) return refuse('has_one', 'refused');
  const document = documentOfIdNumber(parsed.number);
  const verdict = await matched(visitor, document, sources);
  if (verdict === 'unavailable') return verdict;
  if (verdict !== 'match') return refuse(verdict, verdict === 'mismatch' ? 'refused' : verdict);
  const proof = { level: MATCHED, source: sources.population?.name };
  const added = await persons.addDocument(personId, { document, proof }, { ...visit, origin: 'account' });
  if (!added.ok) return refuse(added.reason, 'refused');
  await raise(personId, visit, sources);
  return 'added';
}

/** Has the register vouch again for a document the person holds. A better proof of before is kept. */
export async function proveDocument(
  visitor: Visitor,
  documentId: string,
  visit: Visit,
  sources: AccountCentreSources,
): Promise<string> {
  const { persons, population, ledger } = sources;
  const { personId } = visitor;
  const held = (await persons.documents(personId)).find(({ id }) => id === documentId);
  if (held === undefined || !isMatchable(held)) return 'unknown';
  const verdict = await matched(visitor, held.document, sources);
  if (verdict === 'unavailable') return verdict;
  if (verdict !== 'match') {
    const details = { reason: verdict };
    await ledger.record({ ...visit, type: 'document.refused', outcome: 'failure', personId, details });
    return verdict === 'mismatch' ? 'again_refused' : verdict;
  }
  const level = Math.max(held.proof.level, MATCHED) as AssuranceLevel;
  const proof = { level, source: level > MATCHED ? held.proof.source : population?.name };
  await persons.verifyDocument(personId, documentId, proof, { ...visit, origin: 'account' });
  await raise(personId, visit, sources);
  return 'proven';
}

/** Gives back a level that had fallen; a better one is kept. */
async function raise(personId: string, visit: Visit, { persons, population }: AccountCentreSources): Promise<void> {
  if (population === undefined) return;
  const { name: source } = population;
  const ial = levelEarned([proofOfSource(source)]);
  await persons.changeLevel(personId, async (_, before) =>
    before < ial ? { ...visit, source, ial, reason: 'proven', origin: 'account' } : undefined,
  );
}
