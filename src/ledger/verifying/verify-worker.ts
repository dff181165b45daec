import { parentPort } from 'node:worker_threads';
import { perform, type TilesResult, type VerifyJob } from './verify-jobs.ts';

/** One thread of a verification: takes a job, answers with what it found, in the order of the jobs. */
const port = parentPort;
if (port === null) throw new Error('verify-worker.ts runs as a worker thread only');

port.on('message', (job: VerifyJob) => {
  const result = perform(job);
  port.postMessage(result, 'reports' in result ? buffersOf(result) : []);
});

/** Handed over, not copied: nobody here looks at them again. */
const buffersOf = ({ reports }: TilesResult): ArrayBuffer[] =>
  reports.flatMap(({ leaves, times }) =>
    [leaves?.buffer, times.buffer].filter((buffer) => buffer instanceof ArrayBuffer),
  );
