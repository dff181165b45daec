import type { BlindIndex } from '../../crypto/blind-index.ts';
import type { Sealer } from '../../crypto/sealing.ts';
import { nowSeconds } from '../../shared/clock.ts';
import { newId } from '../../shared/ids.ts';
import type { Connection, Transaction } from '../../storage/database.ts';
import { insertRows, type RowValues } from '../../storage/row-shape.ts';
import { ISSUED_IN_CHINA } from '../documents/document.ts';
import type { MadeCopy } from '../found-copies.ts';
import { documentOfIdNumber } from '../id-number.ts';
import { parseIdentifier, type SignInIdentifier } from '../identifiers/identifier.ts';
import type { Person } from '../person.ts';
import { DOCUMENT_ROW, documentRow, IDENTIFIER_ROW, identifierIndex, PERSON_ROW, personRow } from '../person-rows.ts';
import { scattered, syntheticPerson } from './synthetic-people.ts';

export interface SeedKeys {
  readonly sealer: Sealer;
  readonly index: BlindIndex;
}

/** Rows of people, ready to be written. */
export interface SeededPeople {
  /** Of those at the places asked for, in order; fewer where somebody holds the number of one already. */
  readonly ids: readonly string[];
  readonly persons: readonly RowValues[];
  readonly documents: readonly RowValues[];
  readonly identifiers: readonly RowValues[];
  /** As they are found afterwards. */
  readonly copies: readonly MadeCopy[];
}

/** No register knows them, so their numbers were looked at for their form and nothing else: the nightly re-check leaves them alone. */
const LEVEL = 1;
const VERIFIED_BY = 'demo';
const SOUGHT_AT_ONCE = 500;

/**
 * Makes the rows of the people at some places, without writing them: sealing is most of the work, and no transaction waits for it. They are
 * in the order of the number's index, so that a large batch walks through that index once.
 */
export async function makePeople(
  connection: Connection,
  { sealer, index }: SeedKeys,
  at: readonly number[],
  phoneShare: number,
): Promise<SeededPeople> {
  const now = nowSeconds();
  const sought = at.map((place) => {
    const { idNumber, name, phone } = syntheticPerson(place);
    const document = documentOfIdNumber(idNumber);
    const hasPhone = scattered(place ^ 0x5eed) % 100 < phoneShare;
    return { name, document, numberIndex: index.of(document), phone: hasPhone ? phoneOf(phone) : undefined };
  });
  const held = await holders(
    connection,
    sought.map(({ numberIndex }) => numberIndex),
  );
  const people = sought
    .filter(({ numberIndex }) => !held.has(numberIndex))
    .map((one) => ({ ...one, person: { id: newId('psn'), status: 'active', ial: LEVEL, updatedAt: now } as Person }));
  const inOrder = people.toSorted((left, right) => (left.numberIndex < right.numberIndex ? -1 : 1));
  const identifiers = inOrder.flatMap(({ person, phone }) =>
    phone ? [{ person, type: phone.type, digest: identifierIndex(index, phone) }] : [],
  );
  return {
    ids: people.map(({ person }) => person.id),
    persons: inOrder.map(({ person, name, phone }) =>
      personRow(sealer, person, { name, ...(phone && { phone: phone.value, phoneVerifiedAt: now }) }),
    ),
    documents: inOrder.map(({ person, document, numberIndex }) =>
      documentRow(
        sealer,
        { document, proof: { level: LEVEL } },
        { id: newId('doc'), personId: person.id, numberIndex, now, primary: true },
      ),
    ),
    identifiers: identifiers.map(({ person, type, digest }) => [type, digest, person.id, VERIFIED_BY, now]),
    copies: [...inOrder.map(({ person, numberIndex: digest }) => ({ person, digest })), ...identifiers],
  };
}

function phoneOf(typed: string): SignInIdentifier {
  const outcome = parseIdentifier('phone', typed);
  if (!outcome.ok) throw new RangeError(`${typed} is no phone number: ${outcome.reason}`);
  return outcome.identifier;
}

export async function insertPeople(tx: Transaction, { persons, documents, identifiers }: SeededPeople): Promise<void> {
  await insertRows(tx, PERSON_ROW, persons);
  await insertRows(tx, DOCUMENT_ROW, documents);
  await insertRows(tx, IDENTIFIER_ROW, identifiers);
}

/** Who holds the numbers of the people at some places; a place is missing where nobody does. */
export async function holdersAt(
  connection: Connection,
  index: BlindIndex,
  at: readonly number[],
): Promise<ReadonlyMap<number, string>> {
  const digests = at.map((place) => index.candidates(documentOfIdNumber(syntheticPerson(place).idNumber)));
  const found = await holders(connection, digests.flat());
  return new Map(
    at.flatMap((place, n) => {
      const holder = digests[n]!.map((digest) => found.get(digest)).find((one) => one !== undefined);
      return holder === undefined ? [] : [[place, holder] as const];
    }),
  );
}

/** By the index of the number. */
async function holders(connection: Connection, indexes: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (let from = 0; from < indexes.length; from += SOUGHT_AT_ONCE) {
    const some = indexes.slice(from, from + SOUGHT_AT_ONCE);
    const list = some.map((_index, n) => `$${n + 3}`).join(', ');
    const rows = await connection.all<{ number_index: string; person_id: string }>(
      `SELECT number_index, person_id FROM identity_documents WHERE type = $1 AND issuer = $2 AND number_index IN (${list})`,
      ['resident_id_card', ISSUED_IN_CHINA, ...some],
    );
    for (const { number_index: numberIndex, person_id: personId } of rows) found.set(numberIndex, personId);
  }
  return found;
}
