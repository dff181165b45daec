import { createChallenge, extractParams, verifySolution } from 'altcha-lib/v1';
import { z } from 'zod';
import { nowMs, nowSeconds } from '../shared/clock.ts';
import type { Counters } from '../storage/counters.ts';

/** A puzzle for a browser: the number below `maxnumber` whose SHA-256 behind `salt` is `challenge`. */
export interface Puzzle {
  readonly challenge: string;
  readonly salt: string;
  readonly signature: string;
  readonly maxnumber: number;
}

/**
 * Work that a browser does before a password of a stranger is hashed: it costs whoever tries thousands, and nobody sees it (ALTCHA, version 1 of
 * its protocol). Nothing is stored for a puzzle; a solution works once, on every node, and within minutes.
 */
export interface ProofOfWork {
  issue(weight: number): Promise<Puzzle>;
  accepts(solution: string): Promise<boolean>;
}

const SOLUTION_CHARACTERS_MAX = 1024;
const ALGORITHM = 'SHA-256';

const SOLUTION = z.object({
  algorithm: z.literal(ALGORITHM),
  challenge: z.string().regex(/^[0-9a-f]{64}$/),
  number: z.int().min(0).max(100_000_000),
  salt: z.string().max(200),
  signature: z.string().regex(/^[0-9a-f]{64}$/),
});

export function createProofOfWork({
  counters,
  key,
  work,
  lifetimeSeconds,
}: {
  readonly counters: Pick<Counters, 'take'>;
  readonly key: string;
  /** The largest number a browser has to try on a day of ordinary suspicion; half of them on average. */
  readonly work: number;
  readonly lifetimeSeconds: number;
}): ProofOfWork {
  return {
    async issue(weight) {
      const { challenge, salt, signature, maxnumber } = await createChallenge({
        algorithm: ALGORITHM,
        hmacKey: key,
        maxnumber: work * weight,
        expires: new Date(nowMs() + lifetimeSeconds * 1000),
      });
      return { challenge, salt, signature, maxnumber: maxnumber ?? work };
    },
    async accepts(solution) {
      const parsed = solution.length > SOLUTION_CHARACTERS_MAX ? undefined : parse(solution);
      if (parsed === undefined) return false;
      const expires = Number(extractParams(parsed).expires);
      if (!(expires > nowSeconds() && expires <= nowSeconds() + lifetimeSeconds + 1)) return false;
      if (!(await verifySolution(parsed, key, false))) return false;
      return (await counters.take(`proof:${parsed.challenge}`, lifetimeSeconds)) === 1;
    },
  };
}

function parse(solution: string): z.infer<typeof SOLUTION> | undefined {
  try {
    return SOLUTION.safeParse(JSON.parse(Buffer.from(solution, 'base64').toString('utf8'))).data;
  } catch {
    return undefined;
  }
}
