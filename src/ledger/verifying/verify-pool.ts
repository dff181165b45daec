import { Worker } from 'node:worker_threads';
import { perform, type ResultOf, type VerifyJob } from './verify-jobs.ts';

/** Does the pieces of a verification, on threads or here. */
export interface VerifyPool {
  /** How many jobs keep every thread busy while results are joined; the caller lets no more wait. */
  readonly jobsMax: number;
  run<Job extends VerifyJob>(job: Job): Promise<ResultOf<Job>>;
  close(): Promise<void>;
}

/** For small ledgers, where starting threads would take longer than the work. */
export const verifyHere: VerifyPool = {
  jobsMax: 1,
  run: async <Job extends VerifyJob>(job: Job) => perform(job) as ResultOf<Job>,
  close: async () => {},
};

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Threads that take jobs in turn. A thread that dies rejects what it was given. */
export function createVerifyPool(threadCount: number): VerifyPool {
  const threads = Array.from({ length: threadCount }, () => {
    const worker = new Worker(new URL('./verify-worker.ts', import.meta.url));
    const waiting: Waiting[] = [];
    const giveUp = (error: unknown): void => {
      for (const { reject } of waiting.splice(0)) reject(error);
    };
    worker.on('message', (result) => waiting.shift()?.resolve(result));
    worker.on('error', giveUp);
    worker.on('exit', (code) => giveUp(new Error(`A verifying thread ended with ${code}.`)));
    return { worker, waiting };
  });
  return {
    jobsMax: 2 * threadCount,
    run: <Job extends VerifyJob>(job: Job) => {
      const thread = threads.reduce((least, other) => (other.waiting.length < least.waiting.length ? other : least));
      return new Promise<ResultOf<Job>>((resolve, reject) => {
        thread.waiting.push({ resolve: resolve as Waiting['resolve'], reject });
        // Only bytes are handed over; what shares memory with others is copied.
        const handedOver = job.kind === 'lines' && ownsMemory(job.bytes) ? [job.bytes.buffer as ArrayBuffer] : [];
        thread.worker.postMessage(job, handedOver);
      });
    },
    close: async () => {
      await Promise.all(threads.map(({ worker }) => worker.terminate()));
    },
  };
}

const ownsMemory = (bytes: Uint8Array): boolean =>
  bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength;

/** The results of jobs in the order of the jobs, with as many under way as the pool can use. */
export async function* inOrder<Job extends VerifyJob>(
  pool: VerifyPool,
  jobs: AsyncIterable<Job>,
): AsyncGenerator<{ readonly job: Job; readonly result: ResultOf<Job> }> {
  const underWay: { readonly job: Job; readonly result: Promise<ResultOf<Job>> }[] = [];
  try {
    for await (const job of jobs) {
      underWay.push({ job, result: pool.run(job) });
      if (underWay.length < pool.jobsMax) continue;
      const first = underWay.shift()!;
      yield { job: first.job, result: await first.result };
    }
    for (let first = underWay.shift(); first !== undefined; first = underWay.shift()) {
      yield { job: first.job, result: await first.result };
    }
  } finally {
    // Whoever stops early leaves results behind that nobody awaits any more.
    for (const { result } of underWay) result.catch(() => {});
  }
}
