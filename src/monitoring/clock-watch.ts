import { monotonicMs, nowMs } from '../shared/clock.ts';

const INTERVAL_MS = 1_000;
const STEP_MS_MIN = 1_000;

export interface ClockWatch {
  /** Compares the clocks now, as the timer does each second. */
  look(): void;
  stop(): void;
}

/**
 * Compares the clock of the machine with the monotonic one each second. When it moved by more than one second against it, forwards
 * or back, `onStep` is told by how many milliseconds: once for each step (X8). A clock that is slewed little by little is no
 * step, and a busy event loop holds up both clocks alike. A machine that slept shows as a step forwards.
 */
export function startClockWatch(onStep: (stepMs: number) => void): ClockWatch {
  let offsetMs = nowMs() - monotonicMs();
  const look = (): void => {
    const seen = nowMs() - monotonicMs();
    const stepMs = Math.round(seen - offsetMs);
    offsetMs = seen;
    if (Math.abs(stepMs) > STEP_MS_MIN) onStep(stepMs);
  };
  const timer = setInterval(look, INTERVAL_MS);
  timer.unref();
  return { look, stop: () => clearInterval(timer) };
}
