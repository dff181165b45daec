import type { Ledger } from '../ledger/ledger.ts';
import type { Transaction } from '../storage/database.ts';
import type { Attempts } from './attempts.ts';
import type { Factor } from './factor.ts';
import { guarded } from './factor-attempts.ts';
import type { RecoveryCodes } from './recovery-codes.ts';

/** RFC 8176 has no name of its own for codes on paper; each is a password that works once. */
const AMR = ['otp'];

/**
 * Recovery codes in place of a second factor that is not at hand. `tell` lets the person know: somebody who finds the paper must not
 * go unnoticed.
 */
export function createRecoveryCodeFactor({
  recoveryCodes,
  attempts,
  ledger,
  tell,
}: {
  readonly recoveryCodes: RecoveryCodes;
  readonly attempts: Attempts;
  readonly ledger: Ledger;
  readonly tell: (tx: Transaction, personId: string) => Promise<void>;
}): Factor {
  const boundTo: Factor['boundTo'] = async (personId) => {
    const stock = await recoveryCodes.stock(personId);
    if (stock === undefined || stock.left === 0) return [];
    return [{ id: 'recovery_code', kind: 'recovery_code', personId, label: String(stock.left), boundAt: stock.madeAt }];
  };
  return {
    kind: 'recovery_code',
    amr: AMR,
    strength: 'possession',
    needsScript: false,
    boundTo,
    async begin({ personId }) {
      const [stock] = await boundTo(personId);
      return stock === undefined ? { state: 'unavailable' } : { state: 'ready', shown: { left: stock.label } };
    },
    verify: (use, { code = '' }) =>
      guarded(attempts, 'second_factor', use, async () => {
        const { personId, address, userAgent, correlation } = use;
        if (!(await recoveryCodes.holds(personId, code))) return { state: 'mismatch' };
        return {
          state: 'proven',
          factorId: 'recovery_code',
          amr: AMR,
          async write(tx) {
            if (!(await recoveryCodes.redeem(tx, personId, code))) return false;
            await ledger.append(tx, { type: 'recovery-code.used', personId, address, userAgent, correlation });
            await tell(tx, personId);
            return true;
          },
        };
      }),
  };
}
