import test from 'ava';
import { parseRelyingParty } from '../src/relying-parties/record.ts';
import { type RelyingParty, switchUrl, toProtocolMetadata } from '../src/relying-parties/relying-party.ts';
import { TEA } from './support/acting.ts';
import { tongban } from './support/product.ts';
import { startServer } from './support/server.ts';

const RECORD = { client_name: '企业门户', redirect_uris: ['https://portal.example/callback'] };

const accepted = (accepts_subjects: unknown) => {
  const outcome = parseRelyingParty({ ...RECORD, accepts_subjects });
  return outcome.ok ? outcome.record.accepts_subjects : outcome.faults.map(({ field, reason }) => `${field} ${reason}`);
};

test('F3 a portal registers for whom people may act there, by name and once each', (t) => {
  t.deepEqual(accepted(undefined), ['natural'], 'people on their own behalf, unless it says more');
  t.deepEqual(accepted(['legal']), ['legal']);
  t.deepEqual(accepted(['natural', 'legal', 'represented']), ['natural', 'legal', 'represented']);
  t.deepEqual(accepted(['natural', 'company']), ['accepts_subjects[1] must be natural or legal or represented']);
  t.deepEqual(accepted([]), ['accepts_subjects must have, or be, at least 1']);
  t.deepEqual(accepted(['legal', 'legal']), ['accepts_subjects must not name a kind twice']);
  t.deepEqual(accepted('legal'), ['accepts_subjects must be of the type array']);
});

test('F3 a record of before says natural, in the command too', async (t) => {
  const server = await startServer(t);
  const { id } = await server.addPortal();
  const stored = await server.house.database.get<{ record: string }>(
    'SELECT record FROM relying_parties WHERE client_id = $1',
    [id],
  );
  const { accepts_subjects: _, ...old } = JSON.parse(stored?.record ?? '{}') as Record<string, unknown>;
  const write = 'UPDATE relying_parties SET record = $2 WHERE client_id = $1';
  await server.house.database.run(write, [id, JSON.stringify(old)]);
  const shown = await tongban(['client', 'show', id, '--json'], {
    TONGBAN_PROFILE: 'test',
    TONGBAN_DATA_DIR: server.dataDir,
  });
  t.is(shown.code, 0, shown.stderr);
  t.deepEqual((JSON.parse(shown.stdout) as Record<string, unknown>).accepts_subjects, ['natural']);
});

test('the way to act for somebody else begins at the portal, where it has named an address for that', (t) => {
  const outcome = parseRelyingParty({
    ...RECORD,
    accepts_subjects: ['natural', 'legal'],
    initiate_login_uri: 'https://portal.example/login?from=centre',
  });
  if (!outcome.ok) return t.fail(JSON.stringify(outcome.faults));
  const { record } = outcome;
  const party = { clientId: 'rp', record, secretDigest: null, status: 'active', createdAt: 0, updatedAt: 0 } as const;
  const issuer = 'https://id.example';
  const base = 'https://portal.example/login?from=centre&iss=https%3A%2F%2Fid.example';
  t.is(switchUrl(party, issuer), `${base}&prompt=select_account`);
  t.is(switchUrl(party, issuer, 'self'), `${base}&acting_as=self`);
  t.is(switchUrl(party, issuer, TEA.uscc), `${base}&acting_as=${TEA.uscc}`);
  const without: readonly Partial<RelyingParty>[] = [
    { status: 'disabled' },
    { record: { ...record, accepts_subjects: ['natural'] } },
    { record: { ...record, initiate_login_uri: undefined } },
  ];
  for (const less of without) t.is(switchUrl({ ...party, ...less }, issuer), undefined);
  t.is(toProtocolMetadata(party).initiate_login_uri, undefined);
  for (const address of ['javascript:alert(1)', 'http://portal.example/login', 'https://user@portal.example/']) {
    t.false(parseRelyingParty({ ...RECORD, initiate_login_uri: address }).ok, address);
  }
});
