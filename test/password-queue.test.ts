import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { createHashQueue } from '../src/factors/hash-queue.ts';

const OPTIONS = { hashesAtOnce: 2, queueMax: 3, queueDeadlineMs: 10_000 };

test('R3 never more hashes run at once than allowed, and those that wait run in their order', async (t) => {
  const queue = createHashQueue({ ...OPTIONS, queueMax: 50 });
  const begun: number[] = [];
  let most = 0;
  const work = (n: number) => async () => {
    begun.push(n);
    most = Math.max(most, queue.load().running);
    await pause(2);
    return n;
  };
  const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => queue.run(work(n))));
  t.deepEqual(
    answers,
    Array.from({ length: 20 }, (_, value) => ({ state: 'done' as const, value })),
  );
  t.deepEqual(
    begun,
    Array.from({ length: 20 }, (_, n) => n),
  );
  t.is(most, 2);
  t.like(queue.load(), { running: 0, waiting: 0, started: 20, refused: 0, oldestMs: 0 });
});

test('X6 what finds the queue full is answered at once', async (t) => {
  const queue = createHashQueue(OPTIONS);
  let finish = () => {};
  const gate = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const accepted = Array.from({ length: 5 }, () => queue.run(() => gate));
  t.deepEqual(await queue.run(() => gate), { state: 'busy' });
  t.like(queue.load(), { running: 2, waiting: 3, started: 2, refused: 1 });
  finish();
  await Promise.all(accepted);
  t.is(queue.load().started, 5);
});

test('X6 what waits past the deadline is answered and never starts', async (t) => {
  const queue = createHashQueue({ hashesAtOnce: 1, queueMax: 5, queueDeadlineMs: 20 });
  let finish = () => {};
  const running = queue.run(
    () =>
      new Promise<void>((resolve) => {
        finish = resolve;
      }),
  );
  let started = false;
  const late = await queue.run(async () => {
    started = true;
  });
  t.deepEqual(late, { state: 'busy' });
  finish();
  await running;
  t.false(started);
  t.deepEqual(await queue.run(async () => 1), { state: 'done', value: 1 }, 'its place was given back');
});

test('a hash that fails frees its place', async (t) => {
  const queue = createHashQueue({ ...OPTIONS, hashesAtOnce: 1 });
  const failing = queue.run(async () => {
    throw new Error('out of memory');
  });
  const following = queue.run(async () => 'fine');
  await t.throwsAsync(failing, { message: 'out of memory' });
  t.deepEqual(await following, { state: 'done', value: 'fine' });
});
