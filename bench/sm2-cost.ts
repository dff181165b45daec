import { LEAST_HASH, startPeer } from './peers.ts';
import type { Sm2Cost } from './report.ts';
import { measureRounds, type Pace } from './rounds.ts';
import { SCENARIOS } from './scenarios.ts';

/** The token endpoint by itself, and a sign-in that is there already. */
const MEASURED: ReadonlySet<string> = new Set(['refresh', 'SSO']);
const SM2_PORTAL = { id_token_signed_response_alg: 'SGD_SM3_SM2' } as const;

/** A portal that gets its ID tokens signed with SM2 beside one that gets ES256, in turn over the same connections. */
export async function measureSm2Cost(pace: Pace): Promise<readonly Sm2Cost[]> {
  const options = { hash: LEAST_HASH, peopleCount: pace.peopleCount };
  const es256 = await startPeer('ours', options);
  try {
    const sm2 = await startPeer('ours', { ...options, portal: SM2_PORTAL });
    try {
      const costs: Sm2Cost[] = [];
      for (const scenario of SCENARIOS.filter(({ name }) => MEASURED.has(name))) {
        const [classic, national] = await measureRounds(scenario, [es256, sm2], pace);
        costs.push({ scenario: scenario.name, es256: classic!.measured, sm2: national!.measured });
      }
      return costs;
    } finally {
      await sm2.stop();
    }
  } finally {
    await es256.stop();
  }
}
