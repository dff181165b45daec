import { readdir, readFile } from 'node:fs/promises';
import { getPriority, setPriority } from 'node:os';

/** Where Linux tells of the threads of this process. */
const THREADS = '/proc/self/task';
/** What libuv calls the threads of its pool, on which passwords are hashed. */
const POOL_THREAD = 'libuv-worker';
/** A third of the weight of a thread that was not set back (sched(7)): enough to let others go first, and too little to starve behind them. */
const STEPS_BEHIND = 5;
const NICEST = 19;

/**
 * Sets the threads that hash passwords a few steps behind everything else on the machine, so that a wave of sign-ins does not keep those waiting who are
 * signed in already, even where it keeps every processor busy (R3). What else the pool does, files and signatures with RSA, stands behind with them. Gives how
 * many threads it were: none where the system is not Linux, or does not let this process.
 */
export async function setHashThreadsBack(): Promise<number> {
  // To read the folder takes a thread of the pool, which is therefore there.
  const threads = await readdir(THREADS).catch(() => []);
  const set = await Promise.all(threads.map(Number).map(setBack));
  return set.filter(Boolean).length;
}

async function setBack(thread: number): Promise<boolean> {
  try {
    const name = await readFile(`${THREADS}/${thread}/comm`, 'utf8');
    if (name.trim() !== POOL_THREAD) return false;
    setPriority(thread, Math.min(getPriority() + STEPS_BEHIND, NICEST));
    return true;
  } catch {
    // A thread that has ended meanwhile, or a system that keeps priorities to itself: it hashes all the same.
    return false;
  }
}
