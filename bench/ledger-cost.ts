import { NO_HASH, startPeer } from './peers.ts';
import type { LedgerCost } from './report.ts';
import { measureRounds, type Pace } from './rounds.ts';
import { SCENARIOS } from './scenarios.ts';

const MEASURED: ReadonlySet<string> = new Set(['SSO', 'sign-in, no hash']);

/** The product beside itself with the ledger taken out (bench/altered-server.ts), in turn over the same connections. */
export async function measureLedgerCost(pace: Pace): Promise<readonly LedgerCost[]> {
  const options = { hash: NO_HASH, peopleCount: pace.peopleCount };
  const on = await startPeer('ours', options);
  try {
    const off = await startPeer('ours', { ...options, without: ['ledger'] });
    try {
      const costs: LedgerCost[] = [];
      for (const scenario of SCENARIOS.filter(({ name }) => MEASURED.has(name))) {
        const [withLedger, without] = await measureRounds(scenario, [on, off], pace);
        const onMicroseconds = withLedger!.measured.cpuMicroseconds;
        const offMicroseconds = without!.measured.cpuMicroseconds;
        costs.push({
          scenario: scenario.name,
          onMicroseconds,
          offMicroseconds,
          share: offMicroseconds / onMicroseconds,
          throughputShare: withLedger!.measured.operationsPerSecond / without!.measured.operationsPerSecond,
        });
      }
      return costs;
    } finally {
      await off.stop();
    }
  } finally {
    await on.stop();
  }
}
