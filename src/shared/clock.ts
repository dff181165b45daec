/**
 * The one clock of the house. Everything that asks for the time asks here, so that a test can turn it
 * and a step of the system clock is noticed in one place.
 */
let offsetMs = 0;

/** Milliseconds since the epoch, UTC. */
export const nowMs = (): number => Date.now() + offsetMs;

/** Whole seconds since the epoch, UTC: the unit of JWT dates (RFC 7519 section 2) and of every expiry we store. */
export const nowSeconds = (): number => Math.floor(nowMs() / 1000);

/** Milliseconds of a monotonic clock, for measuring durations and deadlines; steps of the system clock do not move it. */
export const monotonicMs = (): number => performance.now();

/** Moves the clock for tests. Production code never calls this. */
export function turnClock(byMs: number): void {
  offsetMs = byMs;
}
