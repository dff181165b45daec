import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { type IncidentCommandContext, run } from '../src/commands/incident.ts';
import { renderReport } from '../src/commands/incident-report.ts';
import { shippedSettings } from '../src/config/load.ts';
import {
  alarmsDue,
  closingDueAt,
  type OperatorClass,
  proposedLevel,
  reportDueAt,
} from '../src/monitoring/watch/grading.ts';
import { type Alert, changed, type Incident, openIncident, withAlert } from '../src/monitoring/watch/incident.ts';
import { createIncidents } from '../src/monitoring/watch/incidents.ts';
import type { Level } from '../src/monitoring/watch/rule.ts';
import { findRule, RULES } from '../src/monitoring/watch/rules.ts';
import { startWatch } from '../src/monitoring/watch/watch.ts';
import { nowSeconds, turnClock } from '../src/shared/clock.ts';
import { createMemoryCounters } from '../src/storage/memory-counters.ts';
import { launchBrowser } from './support/browser.ts';
import { embeddedTest, postgresDatabase, postgresTest, sqliteDatabase, temporaryFolder } from './support/databases.ts';
import { ledgerEntries } from './support/ledger.ts';
import { turnTo, watchedLedger } from './support/watch-rows.ts';

const HOUR = 3600;
const BRANDING = { nameZh: '通办', nameEn: 'Tongban ID', provinceZh: '示例省', provinceEn: 'Sample Province' };

test.beforeEach(() => turnTo(0));
test.after.always(() => turnClock(0));

const alertOf = (over: Partial<Alert> = {}): Alert => ({
  about: { key: 'psn_a', person: 'psn_a' },
  evidence: [7, 8, 9, 12],
  count: 10,
  affectedCount: 1,
  seq: 12,
  atMs: 0,
  level: 'IV',
  ...over,
});

async function house(t: ExecutionContext, operatorClass: OperatorClass = 'other') {
  const database = await sqliteDatabase(t);
  const { ledger } = watchedLedger(database);
  const incidents = createIncidents({ database, ledger, operatorClass });
  const open = (over: Partial<Alert> = {}, rule = 'brute-force', id?: string): Promise<Incident> =>
    database.write((tx) =>
      incidents.alert(tx, findRule(rule)!, alertOf({ level: findRule(rule)!.level, ...over }), id, false),
    );
  const command = async (...args: string[]) => {
    const output = { stdout: '', stderr: '' };
    const context: IncidentCommandContext = {
      incidents,
      operatorClass,
      branding: BRANDING,
      operator: 'duty',
      stdout: { write: (text) => (output.stdout += text) },
      stderr: { write: (text) => (output.stderr += text) },
    };
    return { exitCode: await run(args, context), ...output };
  };
  const told = async () =>
    (await ledgerEntries(database, 'incident.changed')).map(({ actor, data }) => `${actor} ${data.change}`);
  return { database, incidents, open, command, told };
}

test("the level proposed is the rule's, or what the number of people demands", (t) => {
  const cases: readonly (readonly [Level, number, Level])[] = [
    ['IV', 0, 'IV'],
    ['IV', 999_999, 'IV'],
    ['IV', 1_000_000, 'III'],
    ['III', 0, 'III'],
    ['III', 1_000_000, 'III'],
    ['IV', 9_999_999, 'III'],
    ['IV', 10_000_000, 'II'],
    ['IV', 99_999_999, 'II'],
    ['III', 100_000_000, 'I'],
    ['I', 1_000_000, 'I'],
  ];
  for (const [rule, people, level] of cases) t.is(proposedLevel(rule, people), level, `${rule} ${people}`);
});

test('who operates decides how soon an incident is to be reported, from level III upwards', (t) => {
  const cases: readonly (readonly [Level, OperatorClass, number | undefined])[] = [
    ['IV', 'cii', undefined],
    ['III', 'cii', HOUR],
    ['III', 'central', 2 * HOUR],
    ['III', 'other', 4 * HOUR],
    ['I', 'other', 4 * HOUR],
    ['II', 'cii', HOUR],
  ];
  for (const [level, by, seconds] of cases) {
    t.is(reportDueAt(level, 1000, by), seconds === undefined ? undefined : 1000 + seconds, `${level} ${by}`);
  }
  t.is(closingDueAt(1000), 1000 + 30 * 24 * HOUR);
});

test('alarms come at 50 and 80 percent and when the time is over, each once, and end with the report', (t) => {
  const facts = { level: 'III' as const, discoveredAt: 0, reportedAt: undefined, given: [] };
  const cases: readonly (readonly [now: number, given: readonly number[], due: readonly number[]])[] = [
    [2 * HOUR - 1, [], []],
    [2 * HOUR, [], [50]],
    [2 * HOUR, [50], []],
    [3.2 * HOUR - 1, [50], []],
    [3.2 * HOUR, [50], [80]],
    [3.5 * HOUR, [], [50, 80]],
    [4 * HOUR, [50, 80], [100]],
    [9 * HOUR, [50, 80, 100], []],
  ];
  for (const [now, given, due] of cases) t.deepEqual(alarmsDue({ ...facts, given }, 'other', now), due, `${now}`);
  t.deepEqual(alarmsDue({ ...facts, reportedAt: 10 }, 'other', 9 * HOUR), []);
  t.deepEqual(alarmsDue({ ...facts, level: 'IV' }, 'other', 9 * HOUR), []);
});

test('the watch corrects its own grade; over that of a human it only says what the numbers demand, once', (t) => {
  const named = { id: 'inc_1', rule: 'mass-reveal-by-portal', title: 'x' };
  const first = openIncident(alertOf({ affectedCount: 5000 }), named, 0);
  t.is(first.level, 'IV');
  t.is(withAlert(first, alertOf({ affectedCount: 1_000_000 }), 1, false).level, 'III');
  const graded = changed(
    first,
    { change: 'graded', level: 'IV', reason: 'a test of the portal' },
    { at: 1, by: 'wang' },
  );
  if (typeof graded === 'string') return t.fail(graded);
  const second = withAlert(graded, alertOf({ affectedCount: 1_000_000 }), 2, false);
  const third = withAlert(second, alertOf({ affectedCount: 1_200_000 }), 3, false);
  t.is(third.level, 'IV');
  t.is(third.record.timeline.filter(({ change }) => change === 'regrade-proposed').length, 1);
  t.is(third.affectedCount, 1_200_000);
});

test('however long an attack lasts, the record stays small and what people wrote stays in it', (t) => {
  let incident = openIncident(alertOf(), { id: 'inc_1', rule: 'brute-force', title: 'x' }, 0);
  for (let at = 1; at <= 2000; at += 1) {
    incident = withAlert(incident, alertOf({ evidence: [at * 10, at * 10 + 1], seq: at * 10 }), at, false);
    if (at % 100 === 0) {
      const noted = changed(incident, { change: 'noted', text: `note ${at}` }, { at, by: 'wang' });
      if (typeof noted !== 'string') incident = noted;
    }
  }
  t.true(JSON.stringify(incident.record).length < 40_000);
  t.is(incident.record.evidenceCount, 4004);
  t.is(incident.record.timeline.filter(({ change }) => change === 'noted').length, 20);
  t.is(incident.record.timeline[0]?.change, 'opened');
});

test.serial('an incident goes from open to handled to closed, and each step stands in the ledger', async (t) => {
  const { open, command, told, incidents } = await house(t);
  const { id } = await open();
  const refusals: readonly (readonly [readonly string[], RegExp])[] = [
    [['close', id, '--by', 'wang'], /not handled yet/],
    [['grade', id, 'V', '--by', 'wang', '--reason', 'x'], /V is no level/],
    [['grade', id, 'III', '--by', 'wang', '--reason', ' \u200b '], /--reason is empty/],
    [['note', id, '  '], /note is empty/],
    [['own', id, '\n'], /owner is empty/],
    [['show', 'inc_none'], /no incident inc_none/],
    [['handled', 'inc_\u001b[31m'], /no incident inc_\?\[31m/],
    [['report', id, '--out', '/nowhere/report.html'], /cannot be written \(ENOENT\)/],
  ];
  for (const [args, sentence] of refusals) {
    const { exitCode, stderr, stdout } = await command(...args);
    t.is(exitCode, 1, args.join(' '));
    t.regex(stderr, sentence);
    t.is(stdout, '');
  }
  t.deepEqual(await told(), ['system opened IV']);

  t.is((await command('own', id, '王敏')).exitCode, 0);
  t.is((await command('grade', id, 'iii', '--by', 'wang', '--reason', '涉及多部门')).exitCode, 0);
  t.is((await command('note', id, 'called the\nportal')).exitCode, 0);
  t.is((await command('report', id, '--sent', '--by', 'wang')).exitCode, 0);
  const handled = await command('handled', id, '--by', 'wang');
  t.regex(handled.stdout, /closing report is due before 1 Apr 2026, 10:00/);
  t.regex((await command('handled', id)).stderr, /handled already/);
  t.is((await command('close', id, '--by', 'wang')).exitCode, 0);
  t.regex((await command('note', id, 'late')).stderr, /closed: nothing/);
  t.deepEqual(await told(), [
    'system opened IV',
    'operator:duty owned',
    'operator:wang graded III',
    'operator:duty noted',
    'operator:wang reported',
    'operator:wang handled',
    'operator:wang closed',
  ]);
  const incident = await incidents.find(id);
  t.like(incident, { status: 'closed', level: 'III', owner: '王敏' });
  t.like(incident?.record, { gradedBy: 'wang', gradedReason: '涉及多部门' });
  t.true(
    incident?.record.timeline.some(({ text }) => text === 'called the portal'),
    'on one line',
  );
});

test.serial('what has to be reported is not closed before it was, unless it is graded lower', async (t) => {
  const { open, command, database } = await house(t);
  const { id } = await open({ about: { key: 'house' } }, 'ledger-mismatch');
  await command('handled', id, '--by', 'wang');
  const refused = await command('close', id, '--by', 'wang');
  t.is(refused.exitCode, 1);
  t.regex(refused.stderr, /has to be reported before it is closed/);
  t.is((await command('report', id, '--sent', '--by', 'wang')).exitCode, 0);
  t.is((await command('close', id, '--by', 'wang')).exitCode, 0);

  const lower = await open({ about: { key: 'other' } }, 'ledger-mismatch');
  await command('handled', lower.id);
  await command('grade', lower.id, 'IV', '--by', 'wang', '--reason', 'a test of the auditors');
  t.is((await command('close', lower.id, '--by', 'wang')).exitCode, 0);
  const told = await ledgerEntries(database, 'incident.changed');
  const changes = told.filter(({ data }) => data.incident === lower.id).map(({ data }) => [data.change, data.before]);
  t.deepEqual(changes, [
    ['opened III', undefined],
    ['handled', 'open'],
    ['graded IV', 'III'],
    ['closed', 'handled'],
  ]);
});

test.serial('what is not understood changes nothing and shows the usage', async (t) => {
  const { command } = await house(t);
  const lines = [
    [],
    ['constructor'],
    ['list', 'x'],
    ['show'],
    ['grade', 'inc_1', 'III'],
    ['close', 'inc_1'],
    ['own', 'inc_1'],
    ['list', '--by', 'x'],
    ['report', 'inc_1', '--lang', 'fr'],
    ['report', 'inc_1', '--sent'],
    ['show', 'inc_1', '--sudo'],
  ];
  for (const args of lines) {
    const { exitCode, stderr } = await command(...args);
    t.is(exitCode, 2, args.join(' '));
    t.regex(stderr, /^Usage:/);
  }
});

test.serial('the list shows what is not closed, with its deadline, and everything with --all', async (t) => {
  const { open, command, incidents } = await house(t);
  t.is((await command('list')).stdout, 'No incident.\n');
  const grave = await open({ about: { key: 'house' } }, 'ledger-mismatch');
  const closed = await open();
  await incidents.change(closed.id, { change: 'handled' }, 'wang');
  await incidents.change(closed.id, { change: 'closed' }, 'wang');
  const listed = (await command('list')).stdout;
  t.regex(listed, new RegExp(`^${grave.id}  III  open .*report due 2 Mar 2026, 14:00\n$`));
  turnTo(5 * HOUR);
  t.regex((await command('list')).stdout, /report OVERDUE/);
  const all = JSON.parse((await command('list', '--all', '--json')).stdout);
  t.is(all.length, 2);
  t.like(JSON.parse((await command('show', grave.id, '--json')).stdout), {
    id: grave.id,
    level: 'III',
    discovered_at: '2026-03-02T02:00:00.000Z',
    report_due_at: '2026-03-02T06:00:00.000Z',
    evidence: [7, 8, 9, 12],
    evidence_count: 4,
  });
  t.regex((await command('show', grave.id)).stdout, /watch: opened 10\n {2}evidence: 7 8 9 12\n$/);
});

test.serial('the watch reminds of the deadline until the report went out', async (t) => {
  const { database, incidents, command } = await house(t);
  const watched = watchedLedger(database);
  const watch = startWatch({
    ...watched,
    database,
    counters: createMemoryCounters(),
    settings: shippedSettings('default').watch as Parameters<typeof startWatch>[0]['settings'],
    responses: { notify: async () => {}, challenge: async () => {}, lock: async () => {}, endSessions: async () => {} },
    log: { info: () => {}, error: (error: unknown) => t.fail(String(error)) },
    pollMs: 10,
  });
  t.teardown(() => watch.stop());
  const alarms = async () => (await incidents.list())[0]?.record.alarms;
  const becomes = async (expected: readonly number[]) => {
    for (let tries = 0; tries < 500 && String(await alarms()) !== String(expected); tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    t.deepEqual(await alarms(), [...expected]);
  };
  await watched.write([{ type: 'audit.gap', details: { seq: 3, reason: 'missing' } }]);
  await becomes([]);
  turnTo(2.1 * HOUR);
  await becomes([50]);
  turnTo(3.3 * HOUR);
  await becomes([50, 80]);
  const [incident] = await incidents.list();
  t.is((await command('report', incident!.id, '--sent', '--by', 'wang')).exitCode, 0);
  turnTo(6 * HOUR);
  await new Promise((resolve) => setTimeout(resolve, 200));
  t.deepEqual(await alarms(), [50, 80]);
  const changes = (await ledgerEntries(database, 'incident.changed')).map(({ data }) => data.change);
  t.deepEqual(changes, ['opened III', 'alarm 50%', 'alarm 80%', 'reported']);
});

for (const { name, engineTest, open } of [
  { name: 'SQLite', engineTest: embeddedTest, open: sqliteDatabase },
  { name: 'PostgreSQL', engineTest: postgresTest, open: postgresDatabase },
] as const) {
  engineTest.serial(`changes at the same time are all kept (${name})`, async (t) => {
    const database = await open(t);
    const { ledger } = watchedLedger(database);
    const incidents = createIncidents({ database, ledger, operatorClass: 'other' });
    const { id } = await database.write((tx) =>
      incidents.alert(tx, findRule('brute-force')!, alertOf(), undefined, false),
    );
    const outcomes = await Promise.all(
      Array.from({ length: 5 }, (_, index) => incidents.change(id, { change: 'noted', text: `n${index}` }, 'wang')),
    );
    const kept = outcomes.filter(({ ok }) => ok).length;
    const incident = await incidents.find(id);
    t.is(incident?.record.timeline.filter(({ change }) => change === 'noted').length, kept);
    t.true(outcomes.every((outcome) => outcome.ok || outcome.reason === 'busy'));
    t.true(kept >= 1);
  });
}

test.serial('the report is one page in either language, with everything escaped', async (t) => {
  const { open, command } = await house(t);
  const { id } = await open(
    { affectedCount: 1_300_000, about: { key: 'portal-a', client: 'portal-a' } },
    'mass-reveal-by-portal',
  );
  await command('own', id, '<script>alert(1)</script>');
  const file = join(temporaryFolder(t), 'report.html');
  t.is((await command('report', id, '--out', file)).exitCode, 0);
  t.is((await stat(file)).mode & 0o777, 0o600);
  const zh = await readFile(file, 'utf8');
  const en = (await command('report', id, '--lang', 'en')).stdout;
  for (const said of [
    '示例省通办',
    '较大',
    'Ⅲ',
    '至少 1,300,000 人',
    '应于 2026年3月2日 14:00 前报告',
    '省级网信部门（4 小时内）',
    '7–9, 12',
    '填报人',
    '12387',
    '系统建议，待人工确认',
  ])
    t.true(zh.includes(said), said);
  for (const said of [
    'Sample Province Tongban ID',
    'Considerable',
    'at least 1,300,000',
    'To be reported before 2 Mar 2026, 14:00',
    '4 h 0 min left',
    'Approved by',
  ])
    t.true(en.includes(said), said);
  for (const page of [zh, en]) {
    t.false(page.includes('<script'));
    t.true(page.includes('&lt;script&gt;'));
    t.false(/(?:src|href)=|url\(|@import/.test(page), 'needs no other file');
    t.false(page.includes('undefined'));
  }
});

test.serial(
  'what a person reported is an incident like every other, though no rule of the watch found it',
  async (t) => {
    const { database, incidents, command } = await house(t);
    const reported = { id: 'not-me', title: { zh: '不是本人操作', en: 'It was not me' } };
    const { id } = await database.write((tx) => incidents.alert(tx, reported, alertOf(), undefined, false));
    t.regex((await command('list')).stdout, /It was not me/);
    const page = (await command('report', id)).stdout;
    t.true(page.includes('不是本人操作'));
    t.false(page.includes('处置建议'));
    t.deepEqual([...(await incidents.openIds())], [], 'the watch does not go by it');
  },
);

test.serial('the report fits on one sheet of paper however much happened', async (t) => {
  const launched = await launchBrowser();
  if (launched.state !== 'ready') return t.pass(`skipped: ${launched.reason}`);
  t.teardown(() => launched.browser.close());
  let incident = openIncident(
    alertOf({ level: 'III' }),
    { id: 'inc_1', rule: 'impossible-travel', title: 'x' },
    nowSeconds(),
  );
  for (let at = 1; at <= 400; at += 1) {
    const seqs = Array.from({ length: 20 }, (_, index) => 1_000_000 + at * 100 + index * 3);
    incident = withAlert(incident, alertOf({ level: 'III', evidence: seqs, seq: at }), nowSeconds() + at * 60, false);
  }
  for (let at = 1; at <= 40; at += 1) {
    const noted = changed(
      incident,
      { change: 'noted', text: '核实'.repeat(200) },
      { at: nowSeconds() + at * HOUR, by: 'wang' },
    );
    if (typeof noted !== 'string') incident = noted;
  }
  for (const change of [
    { change: 'graded', level: 'III', reason: '涉及多个部门的数据，'.repeat(40) },
    { change: 'owned', owner: '王'.repeat(64) },
  ] as const) {
    const after = changed(incident, change, { at: nowSeconds() + 50 * HOUR, by: 'wang' });
    if (typeof after !== 'string') incident = after;
  }
  const page = await launched.browser.newPage();
  for (const language of ['zh-CN', 'en'] as const) {
    const longest = RULES.toSorted((left, right) => right.advice.en.length - left.advice.en.length).slice(0, 2);
    for (const { id } of longest) {
      const options = { language, operatorClass: 'cii', branding: BRANDING, now: nowSeconds() } as const;
      await page.setContent(renderReport({ ...incident, rule: id }, options));
      const pdf = await page.pdf({ preferCSSPageSize: true, printBackground: true });
      t.is(pdf.toString('latin1').match(/\/Type\s*\/Page\b/g)?.length, 1, `${id} ${language}`);
    }
  }
});
