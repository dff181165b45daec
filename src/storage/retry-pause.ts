import { randomSecret } from '../shared/random.ts';

const FIRST_MS = 5;
const LONGEST_MS = 250;

/**
 * How long a transaction that lost a race waits before it is run again, for the first, second, ... time: anything up to 5 ms, 10 ms and so
 * on. The whole of it is random: two that waited equally long would only meet again.
 */
export function retryPauseMs(retry: number, longestMs: number = LONGEST_MS): number {
  const most = Math.min(longestMs, FIRST_MS * 2 ** Math.min(retry - 1, 30));
  return (most * randomSecret(4).readUInt32BE()) / 2 ** 32;
}
