import { type RoundOptions, type RoundOutcome, runNightlyJob } from '../storage/nightly-job.ts';
import { createProgress } from './progress.ts';

/** Goes through one round of a job, or what is left of one, with a bar on `stderr`. Ctrl-C ends it after the step under way; what is done stays done. */
export async function runWatchedJob(
  stderr: { write(text: string): unknown; readonly isTTY?: boolean },
  unit: string,
  round: Omit<RoundOptions, 'signal' | 'onProgress'>,
): Promise<RoundOutcome> {
  const progress = createProgress(stderr, unit);
  const ending = new AbortController();
  const end = (): void => ending.abort();
  process.once('SIGINT', end);
  try {
    return await runNightlyJob({
      ...round,
      signal: ending.signal,
      onProgress: ({ handled, total }) => progress.at(handled, total),
    });
  } finally {
    process.removeListener('SIGINT', end);
    progress.end();
  }
}
