import type { Connection } from '../../storage/database.ts';
import { isCommitment, type LedgerEntry } from '../entry.ts';
import type { LedgerReader } from '../reader.ts';
import type { Match } from './search.ts';

/**
 * What stands behind a commitment: its value; `erased` when the key of the person was destroyed; `unreadable` when the key is
 * there and the stored value does not match, which is a finding for `tongban audit verify`.
 */
export type Revealed =
  | { readonly state: 'open'; readonly value: string }
  | { readonly state: 'erased' }
  | { readonly state: 'unreadable' };

const KEY_EXISTS = 'SELECT 1 AS one FROM ledger_subject_keys WHERE id = $1';

/** The fields of an entry that hold a commitment: `ip`, `ua`, `data.<name>`. */
export const committedFields = ({ ip, ua, data }: LedgerEntry): readonly string[] =>
  [
    ['ip', ip] as const,
    ['ua', ua] as const,
    ...Object.entries(data).map(([name, value]) => [`data.${name}`, value] as const),
  ]
    .filter(([, value]) => isCommitment(value))
    .map(([field]) => field);

/** Opens every personal value of an entry. Whoever shows them has recorded it before. */
export async function reveal(
  { stored, entry }: Match,
  { reader, connection }: { readonly reader: LedgerReader; readonly connection: Connection },
): Promise<Readonly<Record<string, Revealed>>> {
  const fields = committedFields(entry);
  if (fields.length === 0) return {};
  const opened = await reader.openings(stored);
  const missing = fields.some((field) => !opened.has(field));
  const keyExists =
    missing && stored.keyId !== null && (await connection.get(KEY_EXISTS, [stored.keyId])) !== undefined;
  return Object.fromEntries(
    fields.map((field): [string, Revealed] => {
      const opening = opened.get(field);
      if (opening !== undefined) return [field, { state: 'open', value: opening.value }];
      return [field, { state: keyExists ? 'unreadable' : 'erased' }];
    }),
  );
}
