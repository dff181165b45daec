import type { Sealer } from '../crypto/sealing.ts';
import type { Channel } from '../delivery/messenger.ts';
import type { ReachableAt } from '../delivery/notices.ts';
import type { Connection } from '../storage/database.ts';
import { type PersonColumn, personContext } from './person.ts';

const SELECT = `SELECT phone_verified_at, email_verified_at, CASE WHEN phone_verified_at IS NULL THEN NULL ELSE phone_sealed END AS phone,
  CASE WHEN email_verified_at IS NULL THEN NULL ELSE email_sealed END AS email FROM persons WHERE id = $1`;

interface Row {
  readonly phone: Uint8Array | null;
  readonly email: Uint8Array | null;
  readonly phone_verified_at: number | null;
  readonly email_verified_at: number | null;
}

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
  if (row === undefined) return [];
  const { phone, email } = row;
  const reachableAt = (channel: Channel, sealed: Uint8Array, column: PersonColumn, at: number | null): ReachableAt => ({
    channel,
    address: sealer.unseal(sealed, personContext(column, personId)),
    provenAt: Number(at),
  });
  return [
    ...(phone ? [reachableAt('sms', phone, 'phone_sealed', row.phone_verified_at)] : []),
    ...(email ? [reachableAt('email', email, 'email_sealed', row.email_verified_at)] : []),
  ];
}
