import test from 'ava';
import { startClockWatch } from '../src/monitoring/clock-watch.ts';
import { turnClock } from '../src/shared/clock.ts';

test.afterEach.always(() => turnClock(0));

test.serial('X8 a step of the clock of more than a second is told once, with its size, forwards and back', (t) => {
  const steps: number[] = [];
  const watch = startClockWatch((stepMs) => steps.push(stepMs));
  t.teardown(() => watch.stop());
  watch.look();
  for (const offsetMs of [400, 800, 1_200]) {
    turnClock(offsetMs);
    watch.look();
  }
  t.deepEqual(steps, [], 'a slow clock that is brought back little by little does not jump');
  turnClock(121_200);
  watch.look();
  watch.look();
  turnClock(1_200);
  watch.look();
  t.is(steps.length, 2);
  t.true(Math.abs(steps[0]! - 120_000) < 50 && Math.abs(steps[1]! + 120_000) < 50, steps.join(', '));
});

test.serial('X8 the watch notices a step by itself within about a second', async (t) => {
  const noticed = Promise.withResolvers<number>();
  const watch = startClockWatch(noticed.resolve);
  t.teardown(() => watch.stop());
  turnClock(-5_000);
  const alive = setTimeout(() => noticed.resolve(0), 5_000);
  const stepMs = await noticed.promise;
  clearTimeout(alive);
  t.true(Math.abs(stepMs + 5_000) < 50, String(stepMs));
});
