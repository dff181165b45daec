import test from 'ava';
import { BoundedMap } from '../src/shared/bounded-map.ts';

test('a full map makes room for the newest by its oldest, and never holds more than it may', (t) => {
  const map = new BoundedMap<number, string>(64);
  for (let n = 0; n < 1_000; n += 1) {
    map.set(n, `value ${n}`);
    t.true(map.size <= 64 && map.size >= Math.min(n + 1, 60));
    t.is(map.get(n), `value ${n}`);
  }
  const kept = [...map.keys()];
  t.deepEqual(
    kept,
    [...kept].sort((one, other) => one - other),
  );
  t.is(kept.at(-1), 999);
  t.true(kept[0]! >= 1_000 - 64);
});

test('what is put in once more takes no room, and what was taken out and put in again is young', (t) => {
  const map = new BoundedMap<string, number>(3);
  for (const name of ['a', 'b', 'c', 'a', 'b']) map.set(name, 1);
  t.deepEqual([...map.keys()], ['a', 'b', 'c']);
  map.delete('a');
  map.set('a', 2);
  map.set('d', 1);
  t.deepEqual([...map.keys()], ['c', 'a', 'd']);
  map.clear();
  map.set('e', 1);
  t.deepEqual([...map], [['e', 1]]);
});
