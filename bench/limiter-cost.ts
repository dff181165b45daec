import { createPortalSecrets } from '../src/defence/portal-secrets.ts';
import { createMemoryCounters } from '../src/storage/memory-counters.ts';
import type { LimiterCost } from './report.ts';

const CALLS = 500_000;
const SHUT = 1_000;
const LIMITS = { portalFailuresPerAddress: 1, addressWindowSeconds: 3600 };

/**
 * What the limiter takes of a single sign-on: its token request asks once whether the portal's name is shut at this address. On a day when a
 * thousand other doors are, so that the look-up is a real one. Alone in a loop: beside a whole SSO it is below what can be seen.
 */
export async function measureLimiterCost(ssoMicroseconds: number): Promise<LimiterCost> {
  const secrets = createPortalSecrets(createMemoryCounters(), LIMITS);
  for (let n = 0; n < SHUT; n += 1) await secrets.failed(`198.51.100.${n % 250}`, `portal-${n}`);
  const ask = (): void => {
    for (let n = 0; n < CALLS; n += 1)
      if (secrets.isShut('203.0.113.7', 'bench-portal')) throw new Error('nobody failed from here');
  };
  ask();
  const before = process.cpuUsage();
  ask();
  const { user, system } = process.cpuUsage(before);
  return { microseconds: (user + system) / CALLS, ssoMicroseconds };
}
