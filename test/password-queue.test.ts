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

test('P7 X6 those who are known go first and have places of their own, and strangers have a turn in five', async (t) => {
  const queue = createHashQueue({ hashesAtOnce: 1, queueMax: 10, queueDeadlineMs: 10_000 });
  const begun: string[] = [];
  let open = (): void => {};
  const gate = queue.run(
    () =>
      new Promise<void>((resolve) => {
        open = resolve;
      }),
  );
  const enter = (name: string, who: 'known' | 'stranger') =>
    queue.run(async () => {
      begun.push(name);
    }, who);
  const strangers = Array.from({ length: 10 }, (_, n) => enter(`s${n}`, 'stranger'));
  t.deepEqual(await enter('one too many', 'stranger'), { state: 'busy' });
  const known = Array.from({ length: 8 }, (_, n) => enter(`k${n}`, 'known'));
  t.is(queue.load().waiting, 18);
  open();
  await Promise.all([gate, ...strangers, ...known]);
  t.deepEqual(begun.slice(0, 10), ['k0', 'k1', 'k2', 'k3', 's0', 'k4', 'k5', 'k6', 'k7', 's1']);
});

test('P7 X6 who would wait past the deadline, by what the last hashes took, is refused at once', async (t) => {
  const queue = createHashQueue({ hashesAtOnce: 1, queueMax: 1000, queueDeadlineMs: 250 });
  await queue.run(() => pause(100));
  const waiting = Array.from({ length: 6 }, () => queue.run(() => pause(100)));
  t.deepEqual(await queue.run(async () => 'late'), { state: 'busy' });
  t.deepEqual(await queue.run(async () => 'in time', 'known'), { state: 'done', value: 'in time' });
  await Promise.all(waiting);
});
