import { setTimeout as pause } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { turnClock } from '../src/shared/clock.ts';
import type { Database } from '../src/storage/database.ts';
import { embeddedTest, postgresDatabase, postgresTest, sqliteDatabase } from './support/databases.ts';
import { ledgerEntries } from './support/ledger.ts';
import { COMPANY, legalRoom, PORTAL } from './support/legal-persons.ts';

const ENGINES = [
  { name: 'SQLite', it: embeddedTest, open: sqliteDatabase },
  { name: 'PostgreSQL', it: postgresTest, open: postgresDatabase },
] as const satisfies readonly {
  name: string;
  it: typeof embeddedTest;
  open: (t: ExecutionContext) => Promise<Database>;
}[];

test.afterEach.always(() => turnClock(0));

const ROUNDS = 12;

for (const { name, it, open } of ENGINES) {
  it(`F3 two revocations and a use at once have one outcome (${name})`, async (t) => {
    const room = legalRoom(await open(t));
    const { personId, legalPersonId } = await room.claimed();
    const agent = await room.add('agent');
    for (let round = 0; round < ROUNDS; round += 1) {
      const { id } = await room.accepted(legalPersonId, personId, { personId: agent }, agent);
      const subject = (await room.acting.find(agent, PORTAL, id))!;
      const uses = (await room.legalPersons.uses({ legalPersonId })).length;
      const use = () =>
        room.database.write(async (tx) => {
          await room.acting.noteUse(tx, { personId: agent, clientId: PORTAL, subject });
          return room.heard.ended.some(({ mandateId }) => mandateId === id);
        });
      const [first, second, used] = await Promise.allSettled([
        room.mandates.revoke(id, { personId }),
        room.mandates.revoke(id, { personId: agent }),
        use(),
      ]);
      const done = [first, second].filter((settled) => settled.status === 'fulfilled' && settled.value.ok);
      t.is(done.length, 1, 'one of two revocations ends it');
      t.is((await room.legalPersons.uses({ legalPersonId })).length - uses, used.status === 'fulfilled' ? 1 : 0);
      // A use that was written came before the end was told: whoever ends the grants has seen it.
      if (used.status === 'fulfilled') t.false(used.value);
      t.is(await room.acting.find(agent, PORTAL, id), undefined);
    }
    t.is((await ledgerEntries(room.database, 'mandate.revoked')).length, ROUNDS);
    t.is(room.heard.ended.length, ROUNDS);
  });

  it(`F3 an acceptance and a revocation at once have one outcome (${name})`, async (t) => {
    const room = legalRoom(await open(t));
    const { personId, legalPersonId } = await room.claimed();
    const agent = await room.add('agent');
    for (let round = 0; round < ROUNDS; round += 1) {
      const grant = { kind: 'agent', legalPersonId, agent: { personId: agent }, matters: ['tax'] } as const;
      const granted = await room.mandates.grant(grant, { personId });
      if (!granted.ok) return t.fail(granted.reason);
      const { id } = granted.mandate;
      const [accepted, revoked] = await Promise.all([
        room.mandates.accept(id, { personId: agent }),
        room.mandates.revoke(id, { personId }),
      ]);
      t.true(revoked.ok);
      t.like(await room.mandates.find(id), {
        status: 'revoked',
        acceptedAt: accepted.ok ? (await room.mandates.find(id))?.acceptedAt : undefined,
      });
      t.is(
        room.heard.ended.some(({ mandateId }) => mandateId === id),
        accepted.ok,
        'what was never active ends nothing',
      );
    }
  });

  it(`F3 twenty equal grants at once make one mandate (${name})`, async (t) => {
    const room = legalRoom(await open(t));
    const { personId, legalPersonId } = await room.claimed();
    const agent = await room.add('agent');
    const grant = { kind: 'agent', legalPersonId, agent: { personId: agent }, matters: ['tax'] } as const;
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => room.mandates.grant(grant, { personId })));
    t.is(outcomes.filter(({ ok }) => ok).length, 1);
    t.is((await room.mandates.ofCompany(legalPersonId)).length, 1);
    t.is((await ledgerEntries(room.database, 'mandate.granted')).length, 1);
  });

  it(`F3 twenty claims of one company at once make one company with one representative (${name})`, async (t) => {
    const room = legalRoom(await open(t));
    const personId = await room.add('representative');
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, () => room.legalPersons.claim({ personId, ...COMPANY })),
    );
    t.true(outcomes.every(({ ok }) => ok));
    t.is(outcomes.filter((outcome) => outcome.ok && outcome.way === 'first').length, 1);
    t.is((await room.legalPersons.list()).length, 1);
    t.is((await room.legalPersons.postsOf({ personId })).length, 1);
    t.is((await ledgerEntries(room.database, 'legal-person.claimed')).length, 1);
  });

  it(`F3 appointments at once never exceed the number allowed (${name})`, async (t) => {
    const room = legalRoom(await open(t));
    const { personId, legalPersonId } = await room.claimed();
    const people = [await room.add('agent'), await room.add('administrator'), await room.add('stranger')];
    const outcomes = await Promise.all(
      people.map((who) => room.legalPersons.appoint(legalPersonId, who, { personId })),
    );
    t.is(outcomes.filter(({ ok }) => ok).length, 2);
  });

  it(`F3 a suspension and a use of the representative at once: no use comes after the end was told (${name})`, async (t) => {
    const room = legalRoom(await open(t));
    const { personId, legalPersonId } = await room.claimed();
    for (let round = 0; round < ROUNDS; round += 1) {
      const [subject] = await room.acting.subjectsOf(personId, PORTAL);
      const told = room.heard.ended.length;
      const [suspended, used] = await Promise.allSettled([
        room.legalPersons.suspend(legalPersonId, { operator: 'li' }, 'a reason'),
        room.database.write(async (tx) => {
          await room.acting.noteUse(tx, { personId, clientId: PORTAL, subject: subject! });
          return room.heard.ended.length;
        }),
      ]);
      t.like(suspended, { status: 'fulfilled', value: 'changed' });
      if (used.status === 'fulfilled') t.is(used.value, told);
      await room.legalPersons.resume(legalPersonId, { operator: 'li' }, 'lifted');
    }
  });
}

postgresTest(
  'F3 an end waits for a sign-in that is under way, so that whoever ends its grants finds it (PostgreSQL)',
  async (t) => {
    const room = legalRoom(await postgresDatabase(t));
    const { personId, legalPersonId } = await room.claimed();
    const agent = await room.add('agent');
    const { id } = await room.accepted(legalPersonId, personId, { personId: agent }, agent);
    const subject = (await room.acting.find(agent, PORTAL, id))!;
    const ends = [
      () => room.mandates.revoke(id, { personId }),
      () => room.legalPersons.suspend(legalPersonId, { operator: 'li' }, 'a reason'),
    ];
    for (const end of ends) {
      const order: string[] = [];
      const [noted, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const using = room.database.write(async (tx) => {
        await room.acting.noteUse(tx, { personId: agent, clientId: PORTAL, subject });
        noted.resolve();
        await goOn.promise;
        order.push('used');
      });
      await noted.promise;
      const ending = end().then(() => order.push('ended'));
      await pause(300);
      t.deepEqual(order, []);
      goOn.resolve();
      await Promise.all([using, ending]);
      t.deepEqual(order, ['used', 'ended']);
      // For the second round the mandate lives again.
      await room.database.run("UPDATE mandates SET status = 'active', cause = NULL", []);
    }
  },
);
