import { z } from 'zod';
import type {
  LegalPersonClaim,
  LegalPersonRegister,
  LegalPersonStanding,
  LegalPersonVerdict,
} from './legal-person-register.ts';
import type { RegisterClient } from './register-client.ts';

const VERDICT = z.looseObject({
  verdict: z.enum(['match', 'mismatch', 'not_representative', 'deregistered', 'unsupported', 'unavailable']),
});
const STANDING = z.looseObject({
  standing: z.discriminatedUnion('state', [
    z.object({
      state: z.literal('active'),
      name: z.string().min(1).max(200),
      representativeDigest: z.string().regex(/^[0-9a-f]{64}$/),
    }),
    z.object({ state: z.literal('deregistered') }),
    z.object({ state: z.literal('unknown') }),
    z.object({ state: z.literal('unavailable') }),
  ]),
});

/**
 * The register of legal persons behind an adapter that speaks the contract of docs/registers.md. What is late, unsigned, malformed
 * or odd in any way is `unavailable`: nobody was judged.
 */
export function createHttpLegalPersonRegister(client: RegisterClient): LegalPersonRegister {
  return {
    name: 'legal-person-register',

    async check(claim: LegalPersonClaim): Promise<LegalPersonVerdict> {
      const { uscc, name, representative } = claim;
      const { documentType, documentNumber } = representative;
      const question = { uscc, name, representative: { name: representative.name, documentType, documentNumber } };
      const answer = await client.ask('/legal-persons/check', question, VERDICT, ({ verdict }) => verdict);
      return answer?.verdict ?? 'unavailable';
    },

    async statusOf(uscc: string): Promise<LegalPersonStanding> {
      const answer = await client.ask('/legal-persons/status', { uscc }, STANDING, ({ standing }) => standing.state);
      return answer?.standing ?? { state: 'unavailable' };
    },
  };
}
