import test from 'ava';
import { prepareDemo } from '../src/commands/demo.ts';
import { demoCompanies } from '../src/commands/demo-companies.ts';
import { usccOf } from './support/legal-persons.ts';
import { idNumberOf } from './support/people.ts';
import { startServer } from './support/server.ts';

test('the demonstration has a company to claim and one that is claimed, however often it starts', async (t) => {
  const { house } = await startServer(t);
  await prepareDemo(house);
  await prepareDemo(house);
  const { legalPersons, persons, acting } = house;
  t.is((await legalPersons.list()).length, 2);
  const [open, taken] = demoCompanies();
  const found = await legalPersons.findByUscc(usccOf(open!.uscc));
  t.deepEqual(await legalPersons.postsOf({ legalPersonId: found!.id }), []);
  const owner = (await persons.findByIdNumber(idNumberOf('33990019850701009X')))!;
  t.like((await acting.subjectsOf(owner.id, 'business-start-up'))[0], {
    role: 'legal_representative',
    uscc: taken!.uscc,
    name: taken!.name,
  } as never);
  const wang = (await persons.findByIdNumber(idNumberOf('339900199001011014')))!;
  t.like(await legalPersons.claim({ personId: wang.id, ...open! }), { ok: true, way: 'first' });
});
