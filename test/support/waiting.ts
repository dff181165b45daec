import { monotonicMs } from '../../src/shared/clock.ts';

const LOOK_AGAIN_MS = 10;

/** Looks again and again whether it holds; resolves with `false` when it never did within `timeoutMs`. */
export async function until(holds: () => boolean | Promise<boolean>, timeoutMs = 15_000): Promise<boolean> {
  const deadlineMs = monotonicMs() + timeoutMs;
  while (!(await holds())) {
    if (monotonicMs() > deadlineMs) return false;
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
  return true;
}
