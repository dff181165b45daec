import { createSecretKey } from 'node:crypto';
import { chmodSync } from 'node:fs';
import test from 'ava';
import { openHouse } from '../src/app.ts';
import { noticeSignature } from '../src/legal-persons/register-notice.ts';
import { NEXT_REPRESENTATIVE, type SampleLegalPersonRegister } from '../src/proofing/sample-legal-person-register.ts';
import { nowSeconds } from '../src/shared/clock.ts';
import { configFor } from './support/audit.ts';
import { temporaryFile, temporaryFolder } from './support/folders.ts';
import { COMPANY } from './support/legal-persons.ts';
import { startServer, WANG } from './support/server.ts';

const SECRET = 'a secret shared with the register, for this test alone';

test('F3 the register tells over HTTP that a representative changed, signed, and the company is stopped at once', async (t) => {
  const registerSecretFile = temporaryFile(t, `${SECRET}\n`);
  chmodSync(registerSecretFile, 0o600);
  const { house, issuer, ...server } = await startServer(t, { legalPersons: { registerSecretFile } });
  const personId = await server.addPerson(WANG);
  const claimed = await house.legalPersons.claim({ personId, ...COMPANY });
  if (!claimed.ok) return t.fail(claimed.reason);
  const send = async (body: string, secret = SECRET, at = nowSeconds()): Promise<Response> => {
    const signature = noticeSignature(createSecretKey(Buffer.from(secret)), 'n-1', String(at), body);
    const headers = { 'webhook-id': 'n-1', 'webhook-timestamp': String(at), 'webhook-signature': signature };
    return fetch(`${issuer}/registers/legal-persons/notices`, { method: 'POST', body, headers });
  };
  const body = JSON.stringify({ uscc: COMPANY.uscc, event: 'representative_changed' });
  const register = house.registers.legalPersons as SampleLegalPersonRegister;
  register.changeRepresentative(COMPANY.uscc, NEXT_REPRESENTATIVE);
  t.is((await send(body, 'another secret')).status, 401);
  t.is((await send(body, SECRET, nowSeconds() - 1000)).status, 401);
  t.is((await fetch(`${issuer}/registers/legal-persons/notices`, { method: 'POST', body })).status, 401);
  t.is((await send('x'.repeat(60_000))).status, 401);
  t.is((await send('{}')).status, 400);
  t.is((await send(JSON.stringify({ uscc: '91339900MA9X010302' }))).status, 204, 'nobody of ours');
  t.like(await house.legalPersons.find(claimed.legalPerson.id), { status: 'active' });
  const told = await send(body);
  t.is(told.status, 204);
  t.is(await told.text(), '');
  t.like(await house.legalPersons.find(claimed.legalPerson.id), { status: 'suspended' });
});

test('without a shared secret there is no such address, and a weak or open secret ends the start', async (t) => {
  const { issuer } = await startServer(t);
  const answer = await fetch(`${issuer}/registers/legal-persons/notices`, { method: 'POST', body: '{}' });
  t.true([404, 405].includes(answer.status), String(answer.status));
  const open = temporaryFile(t, SECRET);
  chmodSync(open, 0o644);
  const weak = temporaryFile(t, 'short');
  chmodSync(weak, 0o600);
  for (const registerSecretFile of [open, weak, '/nowhere/at/all']) {
    const config = configFor({ dataDir: temporaryFolder(t), legalPersons: { registerSecretFile } });
    await t.throwsAsync(openHouse(config), { name: 'Fault' });
  }
});
