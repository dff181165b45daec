import type { Sealer } from '../crypto/sealing.ts';
import type { ReachableAt } from '../delivery/notices.ts';
import type { Connection } from '../storage/database.ts';
import { personContext } from './person.ts';

const SELECT = `SELECT CASE WHEN phone_verified_at IS NULL THEN NULL ELSE phone_sealed END AS phone,
  CASE WHEN email_verified_at IS NULL THEN NULL ELSE email_sealed END AS email FROM persons WHERE id = $1`;

/**
 * Where a person can be told something: only what they have proven to be theirs, for anything else may be a stranger's. Reads on the
 * connection it is given, so also within a transaction.
 */
export async function channelsOf(
  connection: Connection,
  sealer: Sealer,
  personId: string,
): Promise<readonly ReachableAt[]> {
  const row = await connection.get<{ phone: Uint8Array | null; email: Uint8Array | null }>(SELECT, [personId]);
  if (row === undefined) return [];
  const { phone, email } = row;
  return [
    ...(phone
      ? [{ channel: 'sms', address: sealer.unseal(phone, personContext('phone_sealed', personId)) } as const]
      : []),
    ...(email
      ? [{ channel: 'email', address: sealer.unseal(email, personContext('email_sealed', personId)) } as const]
      : []),
  ];
}
