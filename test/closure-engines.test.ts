import type { ExecutionContext } from 'ava';
import { turnClock } from '../src/shared/clock.ts';
import { embeddedTest, postgresStore, postgresTest } from './support/databases.ts';
import { DAY_MS, night } from './support/nights.ts';
import { startServer, WANG } from './support/server.ts';

const ENGINES = [
  ['SQLite', embeddedTest, async () => ({})],
  ['PostgreSQL', postgresTest, async (t: ExecutionContext) => ({ database: { url: await postgresStore(t) } })],
] as const;

for (const [engine, on, overrides] of ENGINES) {
  on.serial(
    `F2 keeping and shredding at once have one outcome, and what is closed is gone to its end (${engine})`,
    async (t) => {
      t.teardown(() => turnClock(0));
      const server = await startServer(t, await overrides(t));
      const { closures, shredding, persons, database } = server.house;
      const id = await server.addPerson(WANG);
      await server.signIn(server.browser(), await server.addPortal());
      for (let round = 0; round < 4; round += 1) {
        t.is((await closures.ask(id, { origin: 'test' })).outcome, 'closing');
        const [kept, shred] = await Promise.all([closures.keep(id, { origin: 'test' }), shredding.shred(id)]);
        t.deepEqual([kept, shred], ['kept', 'kept']);
        t.is((await persons.find(id))?.status, 'active');
      }
      await closures.ask(id, { origin: 'test' });
      turnClock(16 * DAY_MS);
      const both = await Promise.all([shredding.shred(id), shredding.shred(id)]);
      t.deepEqual([...both].sort(), ['kept', 'shredded']);
      t.is((await persons.find(id))?.status, 'closed');
      t.deepEqual(await persons.documents(id), []);
      t.is((await server.events('person.closed')).length, 1);
      turnClock((17 + server.house.config.ledger.retentionDays) * DAY_MS);
      t.deepEqual(new Set(await night(server.house)), new Set(['finished']));
      t.is((await server.events('person.erased')).length, 1);
      const records = await database.all('SELECT 1 AS one FROM consent_records WHERE person_id = $1', [id]);
      t.is(records.length, 0);
    },
  );
}
