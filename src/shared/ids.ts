import { nowMs } from './clock.ts';
import { randomToken } from './random.ts';

/**
 * An opaque identifier that sorts by creation: `prefix_` + 9 characters of time (base 36 ms) + 15 random characters (90 bits).
 * Time first keeps b-tree inserts local.
 */
export function newId(prefix: string): string {
  return `${prefix}_${nowMs().toString(36).padStart(9, '0')}${randomToken(15)}`;
}
