import type { Sealer } from '../crypto/sealing.ts';
import { personContext } from '../people/person.ts';
import type { Connection } from '../storage/database.ts';

const SELECT = 'SELECT name_sealed FROM persons WHERE id = $1';

/** The name of a person, read where we are: inside a transaction nothing else may be asked. Undefined where none was given. */
export async function personName(connection: Connection, sealer: Sealer, id: string): Promise<string | undefined> {
  const row = await connection.get<{ name_sealed: Uint8Array | null }>(SELECT, [id]);
  const sealed = row?.name_sealed ?? undefined;
  return sealed && sealer.unseal(sealed, personContext('name_sealed', id));
}
