import { readdir, readFile } from 'node:fs/promises';
import { getPriority } from 'node:os';
import test from 'ava';
import { freshPlace, startProduct } from './support/product.ts';

/** Elsewhere there is nowhere to read what a thread has; the test counts as skipped there. */
const onLinux = process.platform === 'linux' ? test : test.skip;
const NICEST = 19;

/** Name and priority of each thread of a process (proc(5): the eighteenth field after the name is `nice`, behind `priority`). */
async function threadsOf(pid: number): Promise<readonly { readonly name: string; readonly nice: number }[]> {
  const ids = await readdir(`/proc/${pid}/task`);
  return Promise.all(
    ids.map(async (id) => {
      const [, name = '', rest = ''] =
        /\((.*)\) (.*)$/s.exec(await readFile(`/proc/${pid}/task/${id}/stat`, 'utf8')) ?? [];
      return { name, nice: Number(rest.split(' ')[16]) };
    }),
  );
}

onLinux(
  'R3 the threads on which passwords are hashed stand behind those that serve, and no other thread does',
  async (t) => {
    const product = await startProduct(t, await freshPlace(t));
    const threads = await threadsOf(product.pid);
    const behind = Math.min(getPriority() + 5, NICEST);
    const pool = threads.filter(({ name }) => name === 'libuv-worker');
    t.is(pool.length, 4, threads.map(({ name }) => name).join(', '));
    for (const { nice } of pool) t.is(nice, behind);
    for (const { name, nice } of threads) if (name !== 'libuv-worker') t.is(nice, getPriority(), name);
  },
);
