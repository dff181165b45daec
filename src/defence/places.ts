import type { Allowance } from '../storage/counters.ts';
import { addressGroup, networkOf } from './networks.ts';

export interface PlaceLimits {
  readonly failuresPerAddress: number;
  readonly failuresPerNetwork: number;
  readonly addressWindowSeconds: number;
}

/** What has failed at an address and in its network; not what is under way there, or a hall full of people would be under suspicion. */
export const failuresAt = (address: string, limits: PlaceLimits): readonly Allowance[] =>
  placesOf(address, limits).map((place) => ({ ...place, name: `failed:${place.name}` }));

/** What is counted of an address: its household, and the network (IPv4 /24, IPv6 /48) that household is in. */
export function placesOf(
  address: string,
  { failuresPerAddress, failuresPerNetwork, addressWindowSeconds: windowSeconds }: PlaceLimits,
): readonly Allowance[] {
  const network = networkOf(address);
  return [
    { name: `attempts:address:${addressGroup(address)}`, max: failuresPerAddress, windowSeconds },
    ...(network === undefined ? [] : [{ name: `attempts:network:${network}`, max: failuresPerNetwork, windowSeconds }]),
  ];
}
