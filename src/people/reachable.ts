import type { Sealer } from '../crypto/sealing.ts';
import type { Channel } from '../delivery/messenger.ts';
import type { ReachableAt } from '../delivery/notices.ts';
import type { Connection, Database } from '../storage/database.ts';
import { type PersonColumn, personContext } from './person.ts';

const SELECT = `SELECT phone_verified_at, email_verified_at, CASE WHEN phone_verified_at IS NULL THEN NULL ELSE phone_sealed END AS phone,
  CASE WHEN email_verified_at IS NULL THEN NULL ELSE email_sealed END AS email FROM persons WHERE id = $1`;

interface Row {
  readonly phone: Uint8Array | null;
  readonly email: Uint8Array | null;
  readonly phone_verified_at: number | null;
  readonly email_verified_at: number | null;
}

/** No person has this id. */
const NOBODY = '';
/** As long as a number of somebody. */
const NOBODYS_NUMBER = '+8600000000000';

/**
 * Where a person can be told something: only what they have proven to be theirs, for anything else may be a stranger's. Reads on the
 * connection it is given, so also within a transaction.
 */
export async function channelsOf(
  connection: Connection,
  sealer: Sealer,
  personId: string,
): Promise<readonly ReachableAt[]> {
  const row = await connection.get<Row>(SELECT, [personId]);
  return row === undefined ? [] : placesIn(row).map((place) => open(sealer, personId, place));
}

/** A verified address as it is stored. */
interface Place {
  readonly channel: Channel;
  readonly sealed: Uint8Array;
  readonly column: PersonColumn;
  readonly at: number | null;
}

const placesIn = ({ phone, email, phone_verified_at, email_verified_at }: Row): readonly Place[] => [
  ...(phone ? [{ channel: 'sms', sealed: phone, column: 'phone_sealed', at: phone_verified_at } as const] : []),
  ...(email ? [{ channel: 'email', sealed: email, column: 'email_sealed', at: email_verified_at } as const] : []),
];

const open = (sealer: Sealer, personId: string, { channel, sealed, column, at }: Place): ReachableAt => ({
  channel,
  address: sealer.unseal(sealed, personContext(column, personId)),
  provenAt: Number(at),
});

/**
 * The first of these over a channel that works. Asked about nobody, or about somebody who cannot be reached, it reads and seals as much
 * as it would read and open otherwise: the time must not tell them apart (D9).
 */
export async function reachableOver(
  { database, sealer }: { readonly database: Database; readonly sealer: Sealer },
  personId: string | undefined,
  works: (channel: Channel) => boolean,
): Promise<ReachableAt | undefined> {
  const id = personId ?? NOBODY;
  const row = await database.get<Row>(SELECT, [id]);
  const places = row === undefined ? [] : placesIn(row);
  const place = places.find(({ channel }) => works(channel));
  if (place !== undefined) return open(sealer, id, place);
  sealer.seal(NOBODYS_NUMBER, personContext('phone_sealed', id));
  return undefined;
}
