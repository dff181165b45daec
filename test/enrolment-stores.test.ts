import { createBlindIndex } from '../src/crypto/blind-index.ts';
import { createEnrolmentDrafts } from '../src/people/enrolment-drafts.ts';
import { documentOfIdNumber } from '../src/people/id-number.ts';
import { createRecoveries } from '../src/people/recoveries.ts';
import { turnClock } from '../src/shared/clock.ts';
import { embeddedTest, postgresDatabase, postgresTest, sqliteDatabase } from './support/databases.ts';
import { idNumberOf, SEALER } from './support/people.ts';

const document = documentOfIdNumber(idNumberOf('449900200002290028'));
const content = { document, name: '陈雨桐', browser: 'b'.repeat(22) };

for (const [name, open, declare] of [
  ['SQLite', sqliteDatabase, embeddedTest],
  ['PostgreSQL', postgresDatabase, postgresTest],
] as const) {
  declare.serial(
    `of ten changes made on one version of a draft one counts, and a draft ends with its time (${name})`,
    async (t) => {
      t.teardown(() => turnClock(0));
      const database = await open(t);
      const index = createBlindIndex(Buffer.alloc(32, 2));
      const drafts = createEnrolmentDrafts({ database, sealer: SEALER, index, lifetimeSeconds: 300 });
      const { secret } = await database.write((tx) => drafts.begin(tx, 'self', { step: 'phone', content }));
      const draft = (await drafts.find(secret, content.browser))!;
      t.like(draft, { kind: 'self', step: 'phone', version: 1, content });
      t.is(await drafts.find(secret, 'another browser'), undefined);
      t.is(await drafts.find('x'.repeat(32), content.browser), undefined);
      const change = { step: 'code', content: { ...content, phone: '+8613900000000' } } as const;
      const won = await Promise.all(
        Array.from({ length: 10 }, () => database.write((tx) => drafts.advance(tx, draft, change))),
      );
      t.is(won.filter(Boolean).length, 1);
      t.false(await database.write((tx) => drafts.end(tx, draft)), 'the version it was seen at is over');
      const { id } = await database.write((tx) => drafts.begin(tx, 'counter', { step: 'confirm', content }));
      t.is((await drafts.findAtCounter(document))?.id, id);
      const waiting = (await drafts.findById(id))!;
      const secrets = await Promise.all(
        Array.from({ length: 5 }, () =>
          database.write((tx) => drafts.handOver(tx, waiting, { step: 'password', content })),
        ),
      );
      const [handed] = secrets.filter((one) => one !== undefined);
      t.is(secrets.filter((one) => one !== undefined).length, 1);
      t.is((await drafts.find(handed, content.browser))?.id, id);
      t.is(await drafts.findAtCounter(document), undefined);
      turnClock(301_000);
      t.is(await drafts.find(secret, content.browser), undefined);
      t.is(await drafts.findById(id), undefined);
      t.is(await drafts.sweep(10), 2);
    },
  );

  declare.serial(
    `of completing and cancelling at once one succeeds, and nothing completes before its time (${name})`,
    async (t) => {
      t.teardown(() => turnClock(0));
      const database = await open(t);
      const recoveries = createRecoveries({ database, times: { waitSeconds: 600, finishSeconds: 600 } });
      const begin = async (personId: string | undefined) => {
        const { id, secret } = await database.write((tx) =>
          recoveries.begin(tx, { personId, account: personId ?? 'nobody', route: 'proofing' }),
        );
        return { id, secret, isProven: await database.write((tx) => recoveries.prove(tx, id)) };
      };
      t.false((await begin(undefined)).isProven, 'nobody was found, so nothing can be proven');
      const [first, second] = [await begin('psn_1'), await begin('psn_1')];
      t.true(first.isProven);
      t.false(await database.write((tx) => recoveries.prove(tx, first.id)), 'once');
      const recovery = (await recoveries.find(first.secret))!;
      t.like(recovery, { personId: 'psn_1', state: 'waiting' });
      t.false(await database.write((tx) => recoveries.complete(tx, recovery)), 'too early');
      turnClock(601_000);
      const [completed, cancelled] = await Promise.all([
        database.write((tx) => recoveries.complete(tx, recovery)),
        database.write((tx) => recoveries.cancelAll(tx, 'psn_1')),
      ]);
      const state = (await recoveries.find(first.secret))?.state;
      t.is(state, completed ? 'completed' : 'cancelled');
      t.true(completed || cancelled === 2);
      t.is((await recoveries.find(second.secret))?.state, 'cancelled');
      turnClock(5_000_000);
      t.is(await recoveries.find(first.secret), undefined);
      t.is(await recoveries.sweep(10), 3);
    },
  );
}
