import type { Sealer } from '../crypto/sealing.ts';
import type { Uscc } from './uscc.ts';

type CompanyColumn = 'uscc_sealed' | 'name_sealed';

export const companyContext = (column: CompanyColumn, id: string): string => `legal_persons:${column}:${id}`;

/** Code and name of a legal person. Names are public; of an individual business the code leads to its owner, so both lie sealed. */
export interface CompanyNames {
  readonly uscc: Uscc;
  readonly name: string;
}

export const openCompany = (
  sealer: Sealer,
  id: string,
  sealed: { readonly uscc_sealed: Uint8Array; readonly name_sealed: Uint8Array },
): CompanyNames => ({
  uscc: sealer.unseal(sealed.uscc_sealed, companyContext('uscc_sealed', id)) as Uscc,
  name: sealer.unseal(sealed.name_sealed, companyContext('name_sealed', id)),
});
