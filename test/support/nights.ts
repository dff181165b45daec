import type { House } from '../../src/app.ts';
import { runNightlyJob } from '../../src/storage/nightly-job.ts';

/** Has the jobs done that accounts are merged, closed and let go of by, as in a night; resolves with how each ended. */
export async function night({ database, lifeJobs }: Pick<House, 'database' | 'lifeJobs'>): Promise<readonly string[]> {
  const outcomes: string[] = [];
  for (const job of lifeJobs) outcomes.push(await runNightlyJob({ database, job }));
  return outcomes;
}

export const DAY_MS = 86_400_000;
