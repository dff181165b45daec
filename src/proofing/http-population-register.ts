import { z } from 'zod';
import type { IdentityClaim, IdentitySource, IdentityVerdict } from './identity-source.ts';
import type { RegisterClient } from './register-client.ts';

const ANSWER = z.looseObject({ verdict: z.enum(['match', 'mismatch', 'unavailable']) });
const PATH = '/persons/check';

/**
 * The population register behind an adapter that speaks the contract of docs/registers.md. Three answers and never a fourth: what
 * is late, unsigned, malformed or odd in any way is `unavailable`, and never a mismatch.
 */
export function createHttpPopulationRegister(client: RegisterClient): IdentitySource {
  return {
    name: 'population-register',
    async check({ idNumber, name, documentType = 'resident_id_card' }: IdentityClaim): Promise<IdentityVerdict> {
      const question = { name, documentType, issuer: 'CN', number: idNumber };
      const answer = await client.ask(PATH, question, ANSWER, ({ verdict }) => verdict);
      return answer?.verdict ?? 'unavailable';
    },
  };
}
