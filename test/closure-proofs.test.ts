import { readFile } from 'node:fs/promises';
import test from 'ava';
import { turnClock } from '../src/shared/clock.ts';
import { type AuditDesk, auditDesk, REASON, verdicts } from './support/audit.ts';
import { type EngineTest, embeddedTest, postgresTest } from './support/databases.ts';
import { PEOPLE } from './support/legal-persons.ts';
import { DAY_MS, night } from './support/nights.ts';
import { idNumberOf } from './support/people.ts';

test.afterEach.always(() => turnClock(0));

const ENGINES: readonly (readonly ['sqlite' | 'postgres', EngineTest])[] = [
  ['sqlite', embeddedTest],
  ['postgres', postgresTest],
];
const FROM = { origin: 'account', address: '192.0.2.77', userAgent: 'Firefox on a train' } as const;

/** The lines of an export that tell of a person, and how many of them can still be read. */
async function linesAbout({ audit, file }: AuditDesk, person: string, name: string) {
  const said = await audit(['export', '--reason', REASON, '--open', '--out', file(name)]);
  if (said.code !== 0) throw new Error(said.stderr);
  const lines = (await readFile(file(name), 'utf8')).trimEnd().split('\n');
  const about = lines
    .map((line) => JSON.parse(line) as { readonly entry?: string; readonly openings?: object })
    .filter(({ entry }) => entry?.includes(`"subject":"${person}"`));
  return { count: about.length, readable: about.filter(({ openings }) => openings !== undefined).length };
}

for (const [engine, engineTest] of ENGINES) {
  engineTest.serial(
    `L15 whose remains are destroyed is gone, and both verifiers accept the ledger as before (${engine})`,
    async (t) => {
      const desk = await auditDesk(t, engine);
      const { house, audit, sign } = desk;
      const { idNumber, name } = PEOPLE.agent;
      const added = await house.persons.add({ idNumber: idNumberOf(idNumber), name, ial: 2, origin: 'test' });
      if (!added.ok) return t.fail(added.reason);
      const { id } = added.person;
      t.is((await house.closures.ask(id, FROM)).outcome, 'closing');
      await sign();
      const key = JSON.parse((await audit(['key', '--json'])).stdout).key as string;
      const before = await linesAbout(desk, id, 'before.jsonl');
      t.true(before.readable > 0, 'while it waits, the auditor reads where it was asked from');

      turnClock((house.config.person.closureCoolingDays + 1) * DAY_MS);
      await night(house);
      t.is((await house.persons.find(id))?.status, 'closed');
      turnClock((house.config.person.closureCoolingDays + house.config.ledger.retentionDays + 2) * DAY_MS);
      await night(house);
      await sign();

      const after = await linesAbout(desk, id, 'after.jsonl');
      t.is(after.readable, 0, 'nothing about them can be read any more');
      t.true(after.count > before.count, 'every entry stays, and what became of them is written behind');
      t.is((await audit(['verify', '--live', '--key', key])).code, 0, 'the store');
      for (const exported of ['before.jsonl', 'after.jsonl']) {
        t.true(
          (await verdicts(desk, exported)).every((code) => code === 0),
          exported,
        );
      }
      const [closing] = await house.database.all<{ seq: number }>(
        "SELECT seq FROM ledger_entries WHERE entry LIKE '%person.closing%'",
        [],
      );
      await house.database.run('DELETE FROM ledger_entries WHERE seq = $1', [closing?.seq ?? -1]);
      t.is((await audit(['verify', '--live', '--key', key])).code, 1, 'an entry that goes with them would be seen');
    },
  );
}
