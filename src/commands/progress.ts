import { monotonicMs } from '../shared/clock.ts';

/** Tells how far a long work has come. */
export interface Progress {
  readonly at: (done: number, total: number) => void;
  readonly end: () => void;
}

const LINE_EVERY_MS = 5_000;
const BAR_EVERY_MS = 100;
const BAR_WIDTH = 30;

/** A bar where somebody watches, a line every five seconds where nobody does; nothing for what is over at once. */
export function createProgress(
  stderr: { write(text: string): unknown; readonly isTTY?: boolean },
  unit: string,
): Progress {
  const startedMs = monotonicMs();
  const everyMs = stderr.isTTY ? BAR_EVERY_MS : LINE_EVERY_MS;
  let shownMs = startedMs;
  let drawn = false;
  return {
    at: (done, total) => {
      const nowMs = monotonicMs();
      if (nowMs - shownMs < everyMs || total === 0) return;
      shownMs = nowMs;
      const speed = Math.round((done * 1000) / (nowMs - startedMs));
      const left = remaining(total - done, speed);
      const text = `${done} of ${total} ${unit}, ${Math.floor((100 * done) / total)} %, ${speed} a second${left}`;
      if (!stderr.isTTY) stderr.write(`${text}\n`);
      else {
        const filled = Math.round((BAR_WIDTH * done) / total);
        stderr.write(`\r[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}] ${text}\x1b[K`);
        drawn = true;
      }
    },
    end: () => {
      if (drawn) stderr.write('\r\x1b[K');
    },
  };
}

/** At the speed so far; nothing where that says nothing. */
function remaining(count: number, perSecond: number): string {
  if (perSecond === 0 || count <= 0) return '';
  const seconds = Math.ceil(count / perSecond);
  const minutes = Math.floor(seconds / 60);
  return minutes === 0 ? `, ${seconds} s left` : `, ${minutes} min ${String(seconds % 60).padStart(2, '0')} s left`;
}
