import test, { type ExecutionContext } from 'ava';
import { createFactors } from '../src/factor-doors.ts';
import { createAttempts } from '../src/factors/attempts.ts';
import type { FactorKind, FactorUse, FactorVerdict } from '../src/factors/factor.ts';
import { type TokenSeed, tokenCode } from '../src/factors/token-codes.ts';
import { totpStep } from '../src/factors/totp.ts';
import { nowMs, nowSeconds, turnClock } from '../src/shared/clock.ts';
import { createSqlCounters } from '../src/storage/sql-counters.ts';
import { authenticatorCode, base32Bytes } from './support/authenticator.ts';
import { embeddedTest, postgresStore, postgresTest } from './support/databases.ts';
import { codeFor, codesFor, otherCode } from './support/enrolment.ts';
import { identifierOf } from './support/people.ts';
import { LI, startServer, type TestServer, WANG } from './support/server.ts';
import { allTold } from './support/told-events.ts';
import { until } from './support/waiting.ts';

const ASKED = { origin: 'test' } as const;
const PHONE = '+8613800000007';
const WISHES = { language: 'zh-CN' } as const;
const SEED: TokenSeed = { algorithm: 'gmt0021', key: 'a1'.repeat(16), periodSeconds: 60, digits: 6 };
const silent = async (): Promise<void> => undefined;

const ENGINES = [
  ['SQLite', embeddedTest, async () => ({})],
  ['PostgreSQL', postgresTest, async (t: ExecutionContext) => ({ database: { url: await postgresStore(t) } })],
] as const;

test.afterEach.always(() => turnClock(0));

/** Turns the clock to a moment; it goes on from there. */
const turnTo = (seconds: number): void => turnClock(seconds * 1000 - (nowMs() - turned()));
const turned = (): number => nowMs() - Date.now();

function people(server: TestServer) {
  const { house } = server;
  const attempts = createAttempts({ counters: createSqlCounters(house.database), limits: house.config.limits });
  const factors = createFactors(house, { attempts, wakeOutbox: () => undefined });
  const factor = (kind: FactorKind) => {
    const found = factors.find((one) => one.kind === kind);
    if (found === undefined) throw new Error(kind);
    return found;
  };
  const use = (personId: string, more: Partial<FactorUse> = {}): FactorUse => ({
    personId,
    binding: 'uid-1',
    browser: 'browser-1',
    address: '192.0.2.7',
    ...more,
  });
  return { house, attempts, factor, use, tokens: house.tokenBinding(attempts) };
}

/** Somebody with an authenticator app; resolves with its secret. The code that bound it is spent, so the clock goes on a step. */
async function withApp(server: TestServer, personId: string): Promise<string> {
  const { totpEnrolment } = server.house;
  const place = { personId, binding: 'session-1', browser: 'browser-1' };
  const secret = await totpEnrolment.secretFor(place);
  const bound = await totpEnrolment.confirm(place, { code: authenticatorCode(secret), label: '手机' }, ASKED, silent);
  if (!bound.ok) throw new Error(bound.reason);
  turnClock(turned() + 30_000);
  return secret;
}

/** Whether the proof counted. */
const spent = async ({ house }: TestServer, verdict: FactorVerdict): Promise<boolean> =>
  verdict.state === 'proven' && (await house.database.write((tx) => verdict.write(tx)));

test.serial('the vectors of RFC 6238', (t) => {
  const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
  t.is(base32Bytes(secret).toString(), '12345678901234567890');
  for (const [seconds, code] of [
    [59, '94287082'],
    [1_111_111_109, '07081804'],
    [1_111_111_111, '14050471'],
    [1_234_567_890, '89005924'],
    [2_000_000_000, '69279037'],
    [20_000_000_000, '65353130'],
  ] as const) {
    turnTo(seconds);
    t.is(totpStep(secret, code.slice(2)), Math.floor(seconds / 30), String(seconds));
    t.is(authenticatorCode(secret, 0, 8), code, 'as the app of the other tests shows it');
  }
});

test.serial('V22 D10 a code holds for its own half minute and the one on either side, not a second longer', (t) => {
  const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
  turnTo(1_800_000_000);
  const code = authenticatorCode(secret);
  for (const [at, holds] of [
    [-31, false],
    [-30, true],
    [0, true],
    [59, true],
    [60, false],
    [61, false],
  ] as const) {
    turnTo(1_800_000_000 + at);
    t.is(totpStep(secret, code) !== undefined, holds, String(at));
  }
  turnTo(1_800_000_000);
  for (const form of ['', code.slice(1), `${code}0`, `${code.slice(0, 5)}x`, 'NaN', '-00001'])
    t.is(totpStep(secret, form), undefined, form);
});

for (const [engine, on, overrides] of ENGINES) {
  on.serial(
    `D10 V60 an app is bound by its first code, and every code signs in once, whoever comes first (${engine})`,
    async (t) => {
      const server = await startServer(t, await overrides(t));
      const { factor, use } = people(server);
      const [wang, li] = [await server.addPerson(WANG), await server.addPerson(LI)];
      const { totpEnrolment, boundFactors } = server.house;
      const place = { personId: wang, binding: 'session-1', browser: 'browser-1' };
      const secret = await totpEnrolment.secretFor(place);
      t.is(base32Bytes(secret).length, 20, '160 bits');
      t.is(await totpEnrolment.secretFor(place), secret, 'the page may be looked at again');
      t.not(await totpEnrolment.secretFor({ ...place, browser: 'browser-2' }), secret);
      const confirm = (code: string, from = place) =>
        totpEnrolment.confirm(from, { code, label: '手机' }, ASKED, silent);
      const code = authenticatorCode(secret);
      t.deepEqual(await confirm(otherCode(code)), { ok: false, reason: 'mismatch' });
      t.deepEqual(await confirm(code, { ...place, binding: 'session-2' }), { ok: false, reason: 'expired' });
      t.deepEqual(await confirm(code, { ...place, personId: li }), { ok: false, reason: 'expired' });
      const both = await Promise.all([confirm(code), confirm(code)]);
      t.is(both.filter(({ ok }) => ok).length, 1, 'one app, however often the form is sent');
      t.like(await boundFactors.list(wang), { length: 1, 0: { kind: 'totp', label: '手机' } });

      const verify = (entered: string, more = {}) => factor('totp').verify(use(wang, more), { code: entered });
      t.is((await verify(code)).state, 'replayed', 'the code that bound it');
      turnClock(turned() + 30_000);
      const next = authenticatorCode(secret);
      const verdicts = await Promise.all([
        verify(next),
        verify(` ${next.slice(0, 3)} ${next.slice(3)}`, { binding: 'uid-2' }),
      ]);
      t.deepEqual(
        verdicts.map(({ state }) => state),
        ['proven', 'proven'],
      );
      const counted = await Promise.all(verdicts.map((verdict) => spent(server, verdict)));
      t.is(counted.filter(Boolean).length, 1, 'from two sessions at once it counts once');
      t.is((await verify(next)).state, 'replayed');
      t.is((await verify(authenticatorCode(secret, -1))).state, 'replayed', 'and none before it');
      t.is((await factor('totp').verify(use(li), { code: next })).state, 'mismatch', 'somebody else’s');
      t.true(await spent(server, await verify(authenticatorCode(secret, 1))));
      t.like((await factor('totp').boundTo(wang))[0], { kind: 'totp', personId: wang });
      t.true(Number((await factor('totp').boundTo(wang))[0]?.lastUsedAt) > 0);
      t.is((await factor('totp').begin(use(li), WISHES)).state, 'unavailable');
    },
  );

  on.serial(
    `D7 D8 V31 a hundred guesses at once get five verdicts, and a known device is still heard (${engine})`,
    async (t) => {
      const server = await startServer(t, await overrides(t));
      const { factor, use, attempts } = people(server);
      const wang = await server.addPerson(WANG);
      const secret = await withApp(server, wang);
      const wrong = otherCode(authenticatorCode(secret, 1));
      const guess = (n: number) => {
        const kind = (['totp', 'otp_token', 'recovery_code'] as const)[n % 3]!;
        return factor(kind).verify(use(wang, { binding: `uid-${n}`, address: `198.51.100.${n}` }), { code: wrong });
      };
      const states = (await Promise.all(Array.from({ length: 100 }, (_, n) => guess(n)))).map(({ state }) => state);
      t.is(states.filter((state) => state !== 'exhausted').length, 5);
      const right = { code: authenticatorCode(secret) };
      t.is((await factor('totp').verify(use(wang), right)).state, 'exhausted', 'right or not');
      await attempts.succeeded({ account: wang, address: '192.0.2.7' });
      t.is((await factor('totp').verify(use(wang), right)).state, 'exhausted', 'a right password opens nothing');
      const own = await factor('totp').verify(use(wang, { device: 'known-device' }), right);
      t.true(await spent(server, own));
      turnClock(turned() + 31 * 60_000);
      t.true(await spent(server, await factor('totp').verify(use(wang), { code: authenticatorCode(secret) })));
    },
  );

  on.serial(
    `a hardware token is bound by its serial and two codes, once, and follows its clock (${engine})`,
    async (t) => {
      const server = await startServer(t, await overrides(t));
      const { house, factor, use, tokens } = people(server);
      const [wang, li] = [await server.addPerson(WANG), await server.addPerson(LI)];
      t.deepEqual(await house.tokenStock.take([{ serial: 'HW00001', seed: SEED }], 'test'), []);
      t.deepEqual(
        await house.tokenStock.take(
          [
            { serial: 'HW00002', seed: SEED },
            { serial: 'HW00001', seed: SEED },
          ],
          'test',
        ),
        ['HW00001'],
      );
      t.deepEqual(await house.tokenStock.counts(), { inStock: 1, bound: 0 }, 'all or none');
      // Its clock is seven minutes ahead.
      const shown = (minutes = 0): string => tokenCode(SEED, Math.floor(nowSeconds() / 60) + 7 + minutes);
      const bind = (personId: string, read: object) =>
        tokens.bind(
          use(personId),
          { serial: 'hw-000 01', first: shown(-1), second: shown(), label: '', ...read },
          ASKED,
          silent,
        );
      for (const wrong of [{ serial: 'HW99999' }, { second: otherCode(shown()) }, { first: shown(), second: shown() }])
        t.deepEqual(await bind(wang, wrong), { ok: false, reason: 'refused' });
      const both = await Promise.all([bind(wang, {}), bind(li, {})]);
      t.is(both.filter(({ ok }) => ok).length, 1);
      const owner = both[0]?.ok ? wang : li;
      const verify = (entered: Record<string, string>) => factor('otp_token').verify(use(owner), entered);
      t.is((await verify({ code: shown() })).state, 'replayed');
      turnClock(turned() + 60_000);
      const twice = await Promise.all([verify({ code: shown() }), verify({ code: shown() })]);
      t.is((await Promise.all(twice.map((verdict) => spent(server, verdict)))).filter(Boolean).length, 1);
      // It has gone on by twenty minutes: one code is not enough, two in a row are.
      turnClock(turned() + 600_000);
      const later = (minutes = 0): string => shown(20 + minutes);
      t.is((await verify({ code: later() })).state, 'astray');
      t.is((await verify({ code: later(-2), next: later() })).state, 'astray', 'one was left out');
      t.true(await spent(server, await verify({ code: later(-1), next: later() })));
      turnClock(turned() + 60_000);
      t.true(await spent(server, await verify({ code: later() })), 'and it is known where its clock is');
      // Given up and found again: what it has shown before binds it to nobody.
      const [token] = await house.boundFactors.list(owner);
      await house.database.write((tx) => house.boundFactors.remove(tx, owner, token!.id, { ...ASKED, cause: 'own' }));
      const again = (minutes: number) => bind(owner, { first: later(minutes - 1), second: later(minutes) });
      t.deepEqual(await again(0), { ok: false, reason: 'refused' });
      t.true((await again(1)).ok);
      t.true(await until(async () => (await allTold(server, 'factor.tokens-imported')).length === 1));
    },
  );

  on.serial(
    `D11 D17 a sent code belongs to its person, ceremony and browser, and works once (${engine})`,
    async (t) => {
      const server = await startServer(t, await overrides(t));
      const { house, factor, use } = people(server);
      const [wang, li] = [await server.addPerson(WANG), await server.addPerson(LI)];
      await house.identifiers.bind(wang, identifierOf('phone', PHONE), { origin: 'test', verifiedBy: 'test' });
      const sms = factor('sms_code');
      t.is(sms.strength, 'weak');
      t.deepEqual(await sms.begin(use(li), WISHES), { state: 'unavailable' });
      t.deepEqual(await sms.boundTo(li), []);
      t.like((await sms.boundTo(wang))[0], { kind: 'sms_code', label: '138****0007' });
      t.like(await sms.begin(use(wang), WISHES), { state: 'ready', shown: { address: '138****0007' } });
      const code = await codeFor(server.issuer, PHONE);
      t.is((await sms.begin(use(wang), WISHES)).state, 'sent_already', 'looking again sends nothing');
      t.is((await codesFor(server.issuer, PHONE)).length, 1);
      const verify = (more: Partial<FactorUse>, entered = code) => sms.verify(use(wang, more), { code: entered });
      t.is((await verify({}, otherCode(code))).state, 'mismatch');
      t.not((await verify({ binding: 'uid-2' })).state, 'proven');
      t.not((await verify({ browser: 'browser-2' })).state, 'proven');
      t.not((await verify({ personId: li })).state, 'proven');
      const twice = await Promise.all([verify({}), verify({})]);
      t.is((await Promise.all(twice.map((verdict) => spent(server, verdict)))).filter(Boolean).length, 1);
      t.is((await verify({})).state, 'expired');
      turnClock(turned() + 2000);
      t.is((await sms.begin(use(wang), { language: 'en', again: true, voice: true })).state, 'ready');
      const fresh = await codeFor(server.issuer, PHONE, [code]);
      const spoken = async () =>
        (await allTold(server, 'message.delivered')).some(
          ({ data }) => (data as { channel: string }).channel === 'voice',
        );
      t.true(await until(spoken));
      turnClock(turned() + 301_000);
      t.is((await verify({}, fresh)).state, 'expired');
    },
  );

  on.serial(
    `D12 a recovery code stands in once for a factor that is not at hand, and its person is told (${engine})`,
    async (t) => {
      const server = await startServer(t, await overrides(t));
      const { house, factor, use } = people(server);
      const [wang, li] = [await server.addPerson(WANG), await server.addPerson(LI)];
      const paper = factor('recovery_code');
      t.is((await paper.begin(use(wang), WISHES)).state, 'unavailable');
      const [first = '', second = ''] = await house.database.write((tx) => house.reaching.recoveryCodes.make(tx, wang));
      t.like(await paper.begin(use(wang), WISHES), { state: 'ready', shown: { left: '10' } });
      t.is((await paper.verify(use(li), { code: first })).state, 'mismatch');
      const verify = () => paper.verify(use(wang, { correlation: 'req-1' }), { code: first.toLowerCase() });
      const twice = await Promise.all([verify(), verify()]);
      t.is((await Promise.all(twice.map((verdict) => spent(server, verdict)))).filter(Boolean).length, 1);
      t.is((await verify()).state, 'mismatch');
      t.is((await paper.verify(use(wang), { code: second })).state, 'proven');
      // On PostgreSQL an event has its number a moment after its commit.
      t.true(await until(async () => (await allTold(server, 'recovery-code.used')).length === 1));
      const [used] = await allTold(server, 'recovery-code.used');
      t.like(used, { subject: wang, ip: 'sealed 192.0.2.7', corr: 'req-1' });
      t.like((await allTold(server, 'person.notified')).at(-1), {
        subject: wang,
        data: { notice: 'recovery-code-used' },
      });
    },
  );
}
