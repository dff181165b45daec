import test from 'ava';
import { type ApplicationType, redirectUriFault } from '../src/relying-parties/addresses.ts';
import { parseRelyingParty } from '../src/relying-parties/record.ts';
import { createRelyingParties } from '../src/relying-parties/relying-parties.ts';
import { type CorpusRow, readCorpus, rowsOf } from './support/corpus.ts';
import { sqliteDatabase } from './support/databases.ts';
import { testLedger } from './support/ledger.ts';

const ACCEPTED: readonly (readonly [ApplicationType, string])[] = [
  ['web', 'https://foo.bar.cn/callback'],
  ['web', 'https://foo.bar.cn'],
  ['web', 'https://foo.bar.cn/'],
  ['web', 'https://foo.bar.cn:8443/callback'],
  ['web', 'https://foo.bar.cn/callback?from=tongban'],
  ['web', 'https://foo.bar.cn/a/b;c=d/e'],
  ['web', 'https://foo.bar.cn/@team/callback'],
  ['web', 'https://portal/callback'],
  ['web', 'https://10.20.30.40/callback'],
  ['web', 'https://[2400:da00::66]/callback'],
  ['web', 'https://xn--fiqs8s.cn/callback'],
  ['web', 'https://foo.bar.cn/%E5%8A%9E'],
  ['web', 'http://localhost:9001/callback'],
  ['web', 'http://127.0.0.1/callback'],
  ['web', 'http://[::1]:9001/callback'],
  ['native', 'http://127.0.0.1/callback'],
  ['native', 'cn.gov.example.app:/callback'],
  ['native', 'cn.gov.example.app://callback/done'],
  ['native', 'https://app.example.cn/callback'],
];

const CORPUS = readCorpus('redirects');
const REFUSED: readonly (readonly [ApplicationType, CorpusRow])[] = [
  ...rowsOf(CORPUS, 'registration web', 200).map((row) => ['web', row] as const),
  ...rowsOf(CORPUS, 'registration native', 40).map((row) => ['native', row] as const),
];

test('A1 V17 V20 V45 ordinary redirect addresses are registered', (t) => {
  for (const [type, uri] of ACCEPTED) t.is(redirectUriFault(uri, type), undefined, uri);
});

test('A1 V17 V35 V45 V47 a corpus of hostile redirect addresses is refused, each with a reason', (t) => {
  for (const [type, { trick, text }] of REFUSED)
    t.regex(redirectUriFault(text, type) ?? '', /^must /, `${trick}: ${JSON.stringify(text)}`);
  for (const length of [1025, 100_000])
    t.regex(redirectUriFault('https://foo.bar.cn/'.padEnd(length, 'a'), 'web') ?? '', /^must /, String(length));
});

test('A1 V17 V35 nothing of the corpus gets into the store, beside however good an address', async (t) => {
  const database = await sqliteDatabase(t);
  const parties = createRelyingParties({ database, ledger: testLedger(database) });
  for (const [application_type, { trick, text }] of REFUSED) {
    const redirect_uris = ['https://foo.bar.cn/callback', text];
    const outcome = await parties.add({ client_name: 'portal', application_type, redirect_uris }, 'test');
    if (outcome.ok) t.fail(`${trick}: ${JSON.stringify(text)}`);
    else t.is(outcome.faults[0]?.field, 'redirect_uris[1]', JSON.stringify({ text, faults: outcome.faults }));
  }
  t.deepEqual(await parties.list(), []);
});

test('V35 the same corpus is refused as post-logout address, by field and index', (t) => {
  for (const [application_type, { trick, text }] of REFUSED) {
    const outcome = parseRelyingParty({
      client_name: 'portal',
      application_type,
      redirect_uris: ['https://foo.bar.cn/callback'],
      post_logout_redirect_uris: ['https://foo.bar.cn/', text],
    });
    t.false(outcome.ok, `${trick}: ${JSON.stringify(text)}`);
    if (!outcome.ok)
      t.deepEqual(
        outcome.faults.map(({ field }) => field),
        ['post_logout_redirect_uris[1]'],
        text,
      );
  }
});
