import { monotonicMs } from '../shared/clock.ts';
import type { FoundCopies } from './found-copies.ts';

/** A slice of the walk begins small, for the first pages may have to come from a disk, and grows while it takes less than this. */
const WALKED_FIRST = 100;
const WALKED_MAX = 4_000;
const SLICE_MS = 0.5;
/** What comes between two slices, as a multiple of what the last one took: whoever signs in meanwhile waits for a tenth of the time at most. */
const REST = 9;
const PAUSE_MS_MIN = 5;
/** Each is read and judged as at a sign-in without a copy: so many take about two milliseconds, half of it the COMMIT. */
const SEALED_AT_ONCE = 20;
/** After a change more changes come, and they are sealed together. */
const SEALED_AFTER_MS = 50;
const FAULT_PAUSE_MS = 5_000;

export interface FoundUpkeepOptions {
  readonly copies: Pick<FoundCopies, 'walkSome' | 'sealSome' | 'onUnsealed'>;
  /** Told when the store could not be asked; it is tried again after a while. */
  readonly onFault: (error: unknown) => void;
}

/**
 * Keeps the copies people are found by ready, in small slices beside whatever else is done, and keeps no process alive. After a start it walks
 * through them once: a process meets each page of a mapped file for the first time at the price of a fault, and its first ten thousand
 * sign-ins would pay for it. Then it seals those without a seal, and again whenever somebody met one.
 */
export function startFoundUpkeep({ copies, onFault }: FoundUpkeepOptions): { stop(): Promise<void> } {
  let walkAt: string | undefined = '';
  let sealAt: string | undefined = '';
  let walked = WALKED_FIRST;
  let timer: NodeJS.Timeout | undefined;
  let working: Promise<void> | undefined;
  let isStopped = false;

  const slice = async (): Promise<void> => {
    if (walkAt === undefined) {
      sealAt = sealAt === undefined ? undefined : await copies.sealSome(sealAt, SEALED_AT_ONCE);
      return;
    }
    const startedMs = monotonicMs();
    walkAt = await copies.walkSome(walkAt, walked);
    const grown = monotonicMs() - startedMs < SLICE_MS ? walked * 2 : Math.ceil(walked / 2);
    walked = Math.min(WALKED_MAX, grown);
  };
  const work = async (): Promise<void> => {
    const startedMs = monotonicMs();
    let pauseMs = FAULT_PAUSE_MS;
    try {
      await slice();
      pauseMs = Math.max(PAUSE_MS_MIN, REST * (monotonicMs() - startedMs));
    } catch (error) {
      onFault(error);
    }
    working = undefined;
    if (walkAt !== undefined || sealAt !== undefined) after(pauseMs);
  };
  const after = (ms: number): void => {
    if (isStopped || timer !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      working = work();
    }, ms);
    timer.unref();
  };
  copies.onUnsealed(() => {
    sealAt ??= '';
    if (working === undefined) after(SEALED_AFTER_MS);
  });
  after(PAUSE_MS_MIN);

  return {
    async stop() {
      isStopped = true;
      clearTimeout(timer);
      await working;
    },
  };
}
