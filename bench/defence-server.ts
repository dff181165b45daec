import { pino } from 'pino';
import { openHouse } from '../src/app.ts';
import { prepareConfig } from '../src/config/prepare.ts';
import { parseIdNumber } from '../src/people/id-number.ts';
import { parseIdentifier } from '../src/people/identifiers/identifier.ts';
import { createSamplePopulationRegister } from '../src/proofing/sample-population-register.ts';
import { serve } from '../src/serve.ts';
import { inventedPerson } from './peers.ts';

/*
 * A server for the drills of the defence, in a process of its own: `node bench/defence-server.ts <people> <strangers> <disabled>`, settings from
 * the environment. The first so many invented people have accounts, with phones; the register vouches for the others as well, and the last are
 * disabled. Says `ready` when it serves.
 */

const [people = 0, strangers = 0, disabled = 0] = process.argv.slice(2).map(Number);
const prepared = prepareConfig();
if (!prepared.ok) throw new Error(prepared.sentences.join('\n'));
const opened = await openHouse(prepared.config);
const everybody = Array.from({ length: people + strangers + disabled }, (_, n) => inventedPerson(n));
const register = createSamplePopulationRegister(
  everybody.map(({ identifier, name }) => ({ idNumber: identifier, name })),
);
const house = { ...opened, registers: { ...opened.registers, population: register } };

const hash = await house.passwords.prepare(inventedPerson(0).password);
if (hash === 'busy') throw new Error('busy');
for (const [n, { identifier, name, phone }] of everybody.entries()) {
  if (n >= people && n < people + strangers) continue;
  const parsed = parseIdNumber(identifier);
  const contact = parseIdentifier('phone', phone);
  if (!parsed.ok || !contact.ok) throw new Error(`no such person: ${identifier} ${phone}`);
  const added = await house.persons.add({ idNumber: parsed.number, name, ial: 2, origin: 'drill' }, (tx, person) =>
    house.passwords.store(tx, person.id, hash, 'drill'),
  );
  if (!added.ok) throw new Error(added.reason);
  await house.identifiers.bind(added.person.id, contact.identifier, { origin: 'drill', verifiedBy: 'one_time_code' });
  if (n >= people) await house.persons.disable(added.person.id, 'drill');
}
const outcome = await house.relyingParties.add(
  {
    client_name: 'Drill portal',
    redirect_uris: ['https://portal.example/callback'],
    scope: 'openid profile',
    token_endpoint_auth_method: 'client_secret_basic',
  },
  'drill',
);
if (!outcome.ok) throw new Error(JSON.stringify(outcome.faults));
const serving = await serve(house, pino({ level: 'silent' }));
process.stdout.write(`ready ${JSON.stringify({ id: outcome.party.clientId, secret: outcome.secret })}\n`);
process.once('SIGTERM', async () => {
  await serving.stop('SIGTERM');
  await house.close();
  process.exit(0);
});
