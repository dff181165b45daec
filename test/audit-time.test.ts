import test from 'ava';
import { aligned, widthOf } from '../src/commands/audit-table.ts';
import { momentOf } from '../src/commands/audit-words.ts';
import { turnClock } from '../src/shared/clock.ts';
import { auditDesk, manySignIns, REASON, writeSignIns } from './support/audit.ts';

test('L15 a time is met to the second, although the ledger is searched with minutes to spare', async (t) => {
  const { audit, house, sign } = await auditDesk(t);
  t.teardown(() => turnClock(0));
  for (const [number, minutes] of [-50, -40, -30].entries()) {
    turnClock(minutes * 60_000);
    await writeSignIns(house, manySignIns(1, number));
    await sign();
  }
  turnClock(0);
  const minutesAgo = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString();
  const found = async (from: number, to: number): Promise<readonly string[]> => {
    const times = ['--from', minutesAgo(from), '--to', minutesAgo(to)];
    const { stdout } = await audit(['search', '--type', 'sign-in.*', '--reason', REASON, ...times, '--json']);
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line).entry.subject as string);
  };
  t.deepEqual(await found(55, 25), ['p_0', 'p_1', 'p_2']);
  t.deepEqual(await found(45, 35), ['p_1']);
  t.deepEqual(await found(39, 31), []);
});

test('times are Beijing time unless they say otherwise, and a day ends where the next begins', (t) => {
  const utc = (ms: number | undefined): string => new Date(ms ?? Number.NaN).toISOString();
  t.is(utc(momentOf('2026-03-01', 'start')), '2026-02-28T16:00:00.000Z');
  t.is(utc(momentOf('2026-03-01', 'end')), '2026-03-01T16:00:00.000Z');
  t.is(utc(momentOf('2026-03-01T08:30', 'start')), '2026-03-01T00:30:00.000Z');
  t.is(utc(momentOf('2026-03-01 08:30:15.5', 'end')), '2026-03-01T00:30:15.500Z');
  t.is(utc(momentOf('2026-03-01T08:30Z', 'end')), '2026-03-01T08:30:00.000Z');
  t.is(utc(momentOf('2026-03-01T08:30+09:00', 'end')), '2026-02-28T23:30:00.000Z');
  for (const wrong of ['', '2026-02-29', '2026-3-1', '2026-03-01T25:00', '2026-03-01T08', 'yesterday', '20260301']) {
    t.is(momentOf(wrong, 'start'), undefined, wrong);
  }
});

test('tables stand in columns, also with Chinese in them', (t) => {
  const lines = aligned([
    ['名称', 'n', 'x'],
    ['ab', '甲乙', 'y'],
  ]).split('\n');
  t.is(widthOf(lines[0]!.slice(0, lines[0]!.indexOf('x'))), widthOf(lines[1]!.slice(0, lines[1]!.indexOf('y'))));
  t.is(widthOf('审计'), 4);
});
