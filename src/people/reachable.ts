import type { Sealer } from '../crypto/sealing.ts';
import type { ReachableAt } from '../delivery/notices.ts';
import type { Connection } from '../storage/database.ts';

const SELECT = 'SELECT phone_sealed FROM persons WHERE id = $1';

/** Where a person can be told something. Reads on the connection it is given, so also within a transaction. */
export async function channelsOf(
  connection: Connection,
  sealer: Sealer,
  personId: string,
): Promise<readonly ReachableAt[]> {
  const row = await connection.get<{ phone_sealed: Uint8Array | null }>(SELECT, [personId]);
  if (row === undefined || row.phone_sealed === null) return [];
  return [{ channel: 'sms', address: sealer.unseal(row.phone_sealed, `persons:phone_sealed:${personId}`) }];
}
