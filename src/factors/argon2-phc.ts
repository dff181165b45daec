import { randomSecret } from '../shared/random.ts';

/** Cost of one Argon2id hash (RFC 9106): memory in KiB, passes, lanes. */
export interface Argon2Cost {
  readonly memoryKib: number;
  readonly iterations: number;
  readonly parallelism: number;
}

/** More than any sane configuration: a hash that asks for it was planted to stop the machine (D5). */
const COST_MAX: Argon2Cost = { memoryKib: 1_048_576, iterations: 10, parallelism: 16 };
const PHC =
  /^\$argon2id\$v=19\$m=(\d{1,9}),(?:t=(\d{1,4}),p=(\d{1,3})|p=(\d{1,3}),t=(\d{1,4}))\$[A-Za-z0-9+/]{16,86}\$([A-Za-z0-9+/]{22,86})$/;
const SALT_BYTES = 16;
const HASH_BYTES = 32;

/** The cost written in a stored hash (PHC string), or undefined when it is no Argon2id hash we are willing to compute. */
export function costOf(phc: string): Argon2Cost | undefined {
  const found = PHC.exec(phc);
  if (found === null) return undefined;
  const cost = {
    memoryKib: Number(found[1]),
    iterations: Number(found[2] ?? found[5]),
    parallelism: Number(found[3] ?? found[4]),
  };
  const sane =
    cost.iterations >= 1 &&
    cost.parallelism >= 1 &&
    cost.memoryKib >= 8 * cost.parallelism &&
    cost.memoryKib <= COST_MAX.memoryKib &&
    cost.iterations <= COST_MAX.iterations &&
    cost.parallelism <= COST_MAX.parallelism;
  return sane ? cost : undefined;
}

export const sameCost = (left: Argon2Cost, right: Argon2Cost): boolean =>
  left.memoryKib === right.memoryKib && left.iterations === right.iterations && left.parallelism === right.parallelism;

/** A hash of nothing anybody knows: checking a password against it costs what a real check costs, and never succeeds. */
export function unmatchableHash({ memoryKib, iterations, parallelism }: Argon2Cost): string {
  const part = (bytes: number): string => randomSecret(bytes).toString('base64').replace(/=+$/, '');
  return `$argon2id$v=19$m=${memoryKib},t=${iterations},p=${parallelism}$${part(SALT_BYTES)}$${part(HASH_BYTES)}`;
}
