import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { Browser, formsOf } from '../bench/browser.ts';
import { write } from '../bench/fuzz-draft.ts';
import { mutate } from '../bench/fuzz-mutations.ts';
import { Choices } from '../bench/fuzz-random.ts';
import { apart, apartVerdict } from '../bench/indistinguishable.ts';
import { median, quantile } from '../bench/measure.ts';
import { readOptions, UsageError } from '../bench/options.ts';
import { NO_HASH, startPeer } from '../bench/peers.ts';
import { medianAtLeast } from '../bench/scale-look-ups.ts';
import { pageAskedFor, readSignInPage, signInPage } from '../bench/sign-in-page.ts';
import { temporaryFolder } from './support/folders.ts';

const ROOT = new URL('..', import.meta.url).pathname;

function runScript(...args: readonly string[]): { readonly code: number | null; readonly output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: ROOT,
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { code: status, output: stdout + stderr };
}

test('the load client finds a form by its fields and sends its hidden ones along, decoded', (t) => {
  const [cancel, signIn] = formsOf(
    `<form action="/x/cancel" method=post><button name="decision" value="cancel"></form>
     <FORM method="post" action='/x?a=1&amp;b=2'><input type="hidden" name="form_token" value="a&quot;b&#x26;">
     <input name="identifier"><input type="password" name=password></FORM>`,
  );
  t.deepEqual([...cancel!.fields], ['decision']);
  t.is(signIn!.action, '/x?a=1&b=2');
  t.deepEqual(signIn!.hidden, { form_token: 'a"b&' });
  t.true(signIn!.fields.has('identifier') && signIn!.fields.has('password'));
});

test('the quantile of a round is the nearest rank', (t) => {
  t.is(median([5, 1, 3]), 3);
  const hundred = Array.from({ length: 100 }, (_, n) => n + 1);
  t.is(quantile(hundred, 0.99), 99);
  t.is(quantile([7], 0.99), 7);
});

test('the bench measures what it was told, and says so where that names nothing', (t) => {
  const names = ['SSO', 'sign-in, no hash'];
  t.like(readOptions(['--only', 'no HASH', '--peer', 'bare', '--people', '5'], names), {
    only: ['no HASH'],
    peers: ['bare'],
    people: 5,
    engine: 'sqlite',
  });
  t.is(readOptions(['--help'], names), undefined);
  for (const [args, said] of [
    [['--only', 'SSO', '--only', 'sign-in without hash'], /"sign-in without hash".*SSO; sign-in, no hash/],
    [['--only', ''], /""/],
    [['--engine', 'postgres'], /postgres goes with --scale/],
    [['--engine', 'oracle'], /--engine is one of/],
    [['--peer', 'other'], /--peer is one of/],
    [['--people', '1e999'], /--people is a whole number/],
    [['--workers', '0'], /--workers is a whole number/],
    [['--nosuch'], /--nosuch/],
  ] as const) {
    const error = t.throws(() => readOptions(args, names), { instanceOf: UsageError }, args.join(' '));
    t.regex(error?.message ?? '', said);
  }
});

test('a ratio that rounds on a busy machine do not agree on is not beyond doubt', (t) => {
  // Published critical values of the sign test at one in a hundred: the smallest of 7, the 7th of 25, the 13th of 40.
  for (const [rounds, rank] of [
    [7, 1],
    [25, 7],
    [40, 13],
  ] as const) {
    const ratios = Array.from({ length: rounds }, (_, n) => n + 1).toReversed();
    t.is(medianAtLeast(ratios), rank);
  }
  t.is(medianAtLeast([9, 9, 9, 9, 9, 9]), 0, 'six rounds cannot tell');
});

test('P6 a leak is told from the noise of a busy machine', (t) => {
  const choices = new Choices(1, 1);
  const noise = (ms: number): readonly number[] =>
    Array.from({ length: 2000 }, () => 200 + choices.below(ms * 10) / 10);
  const quiet = [noise(20), noise(20)] as const;
  t.is(apartVerdict(apart(...quiet)), 'holds');
  t.is(
    apartVerdict(
      apart(
        quiet[0].map((ms) => ms + 2),
        quiet[1],
      ),
    ),
    'MISSED',
  );
  // Drifts of the machine meet both of a pair.
  const drifting = quiet.map((row) => row.map((ms, at) => ms + at)) as [number[], number[]];
  t.is(apartVerdict(apart(...drifting)), 'holds');
  t.is(
    apartVerdict(
      apart(
        drifting[0].map((ms) => ms + 2),
        drifting[1],
      ),
    ),
    'MISSED',
  );
  t.is(apartVerdict({ auc: 0.5, medianMs: 2, fromMs: -1, toMs: 4 }), 'undecided');
  t.is(apartVerdict({ auc: 0.54, medianMs: 0, fromMs: -1, toMs: 1 }), 'MISSED');
});

test('P5 the same seed and case number give the same bytes', (t) => {
  const draft = {
    ...{
      route: 'POST /token',
      method: 'POST',
      path: '/token',
      query: [],
      form: [['code', 'x']] as const,
      body: undefined,
    },
    ...{ contentType: 'application/x-www-form-urlencoded', headers: [], cookies: [], malformed: false },
  };
  const bytes = (seed: number, number: number): string =>
    write(number, mutate(draft, new Choices(seed, number)), 'localhost').bytes.toString('latin1');
  const first = Array.from({ length: 200 }, (_, number) => bytes(1, number));
  t.deepEqual(
    Array.from({ length: 200 }, (_, number) => bytes(1, number)),
    first,
  );
  t.true(new Set(first).size > 100, 'the cases differ from one another');
  t.notDeepEqual(
    Array.from({ length: 200 }, (_, number) => bytes(2, number)),
    first,
  );
});

test('P5 R14 the fuzzer finds the unguarded 500 of the bare library', (t) => {
  const { code, output } = runScript('bench/fuzz.ts', '--peer', 'bare', '--n', '2500', '--seed', '1');
  t.is(code, 1, output);
  t.regex(output, /FAILED GET \/auth\/:id: status 500/);
  t.regex(output, /--seed 1 --case \d+/);
});

test('P5 the fuzzer speaks to loopback only', (t) => {
  const { code, output } = runScript('bench/fuzz.ts', '--url', 'http://192.0.2.1:3000');
  t.not(code, 0);
  t.regex(output, /loopback/);
});

test('drills find the sign-in page, whether it is the answer to a request or where that leads', async (t) => {
  const server = await startPeer('ours', { hash: NO_HASH, peopleCount: 1 });
  t.teardown(() => server.stop());
  const at = () => new Browser(server.origin);
  t.true((await signInPage(server, at())).action.endsWith('/identify'));
  // A request that hints at somebody is never answered by a page.
  const hinted = await pageAskedFor(server, at(), { login_hint: server.people[0]!.identifier });
  t.true(readSignInPage(hinted).action.endsWith('/identify'));
});

test('the benchmark measures the bare library and writes its figures down', (t) => {
  const file = join(temporaryFolder(t), 'figures.json');
  const { code, output } = runScript('bench/main.ts', '--quick', '--peer', 'bare', '--only', 'sso', '--json', file);
  t.is(code, 0, output);
  const { rows } = JSON.parse(readFileSync(file, 'utf8'));
  t.is(rows.length, 1);
  t.is(rows[0].name, 'SSO');
  t.is(rows[0].peers.bare.requestsPerOperation, 2);
  t.true(rows[0].peers.bare.cpuMicroseconds > 0);
});
