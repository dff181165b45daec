import { nowMs } from '../shared/clock.ts';
import type { Counters } from '../storage/counters.ts';
import { addressGroup } from './networks.ts';

export interface PortalSecretLimits {
  readonly portalFailuresPerAddress: number;
  readonly addressWindowSeconds: number;
}

/**
 * Limits wrong proofs of portals at the endpoints they call (V31). Their secrets are drawn with 256 bits, so what is limited is load and noise, and
 * the good case must cost nothing: only a failure is counted in the store, and whether a door is shut is known in memory. Counted per
 * address and name, so that nobody elsewhere can shut a portal out, and ten times as many per address over all names.
 */
export interface PortalSecrets {
  /** Whether whoever calls from here under this name must wait. Costs a look into a map. */
  isShut(address: string, clientId: string): boolean;
  failed(address: string, clientId: string): Promise<void>;
}

const NAMES_PER_ADDRESS = 10;
const SHUT_MAX = 10_000;
const NAME_CHARACTERS_MAX = 128;

export function createPortalSecrets(counters: Counters, limits: PortalSecretLimits): PortalSecrets {
  const { portalFailuresPerAddress: max, addressWindowSeconds: windowSeconds } = limits;
  const shutUntil = new Map<string, number>();
  const keysOf = (address: string, clientId: string): readonly [string, string] => {
    const group = addressGroup(address);
    return [`${group} ${clientId.slice(0, NAME_CHARACTERS_MAX)}`, group];
  };
  const isHeld = (key: string): boolean => {
    const until = shutUntil.get(key);
    if (until === undefined) return false;
    if (until > nowMs()) return true;
    shutUntil.delete(key);
    return false;
  };
  return {
    isShut: (address, clientId) => shutUntil.size > 0 && keysOf(address, clientId).some(isHeld),
    async failed(address, clientId) {
      const allowances = keysOf(address, clientId).map((key, place) => ({
        name: `portals:${key}`,
        max: place === 0 ? max : max * NAMES_PER_ADDRESS,
        windowSeconds,
        key,
      }));
      for (const { name, key, max: most } of allowances) {
        if ((await counters.take(name, windowSeconds)) < most) continue;
        if (shutUntil.size >= SHUT_MAX) shutUntil.clear();
        shutUntil.set(key, nowMs() + windowSeconds * 1000);
      }
    },
  };
}
