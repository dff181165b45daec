import type { House } from '../app.ts';
import { parseUscc } from '../legal-persons/uscc.ts';
import { parseIdNumber } from '../people/id-number.ts';
import { SAMPLE_COMPANIES } from '../proofing/sample-companies.ts';

/** The company that can be tried to claim, and the individual business that its owner stands for already. */
const [UNCLAIMED, CLAIMED] = SAMPLE_COMPANIES as readonly [(typeof SAMPLE_COMPANIES)[0], (typeof SAMPLE_COMPANIES)[0]];

export const demoCompanies = (): readonly { readonly uscc: string; readonly name: string }[] => [UNCLAIMED, CLAIMED];

/**
 * Enters the two sample companies, once per data folder: 示例数字科技有限公司, which 王小明 can claim as its legal representative, and the
 * café of 李思远, claimed already. Codes are synthetic: no such district exists.
 */
export async function prepareDemoCompanies({ legalPersons, persons }: House): Promise<void> {
  for (const { uscc, name } of [UNCLAIMED, CLAIMED]) {
    const code = parseUscc(uscc);
    if (!code.ok || (await legalPersons.findByUscc(code.uscc))) continue;
    await legalPersons.add({ uscc, name, origin: 'demo' }, 'house');
  }
  const owner = parseIdNumber(CLAIMED.representative.documentNumber);
  const person = owner.ok ? await persons.findByIdNumber(owner.number) : undefined;
  if (person === undefined || (await legalPersons.postsOf({ personId: person.id })).length > 0) return;
  await legalPersons.claim({ personId: person.id, uscc: CLAIMED.uscc, name: CLAIMED.name });
}
