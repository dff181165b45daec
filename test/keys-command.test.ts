import test, { type ExecutionContext } from 'ava';
import { type House, openHouse } from '../src/app.ts';
import { run } from '../src/commands/keys.ts';
import { RING_PURPOSES } from '../src/crypto/secret-ring.ts';
import { turnClock } from '../src/shared/clock.ts';
import { configFor } from './support/audit.ts';
import { temporaryFolder } from './support/folders.ts';
import { later } from './support/key-house.ts';
import { until } from './support/waiting.ts';

test.afterEach.always(() => turnClock(0));

async function keysOf(t: ExecutionContext, otherEncryptionKeys: readonly string[] = []) {
  const config = configFor({ dataDir: temporaryFolder(t) });
  const secrets = { ...config.secrets, otherEncryptionKeys };
  const house: House = await openHouse({ ...config, secrets });
  t.teardown(() => house.close());
  return {
    house,
    async keys(...args: readonly string[]) {
      const said = { stdout: '', stderr: '' };
      const hear = (name: 'stdout' | 'stderr') => ({
        write(text: string) {
          said[name] += text;
        },
      });
      const code = await run(args, { house, stdout: hear('stdout'), stderr: hear('stderr') });
      return { code, ...said };
    },
  };
}

test.serial('the command lists every key by kind and state, and no secret', async (t) => {
  const { house, keys } = await keysOf(t);
  const { code, stdout } = await keys('list');
  t.is(code, 0);
  for (const purpose of RING_PURPOSES) t.regex(stdout, new RegExp(`^${purpose}  configured  current  `, 'm'));
  t.regex(stdout, /^ES256 {2}\S{43}$/m);
  for (const secret of Object.values(house.config.secrets).flat()) t.false(stdout.includes(secret));
});

test.serial('the command waits until every process must know the new key, and then has it used', async (t) => {
  const { house, keys } = await keysOf(t);
  const rotating = keys('rotate', 'sealing', 'cookies');
  t.true(await until(() => house.secretRing.keys('cookies').length === 2));
  t.is(house.secretRing.keys('cookies')[0]?.id, 'configured', 'it waits');
  later(10);
  const { code, stdout } = await rotating;
  t.is(code, 0);
  t.regex(stdout, /^sealing: [0-9a-f]{8} is in use now\.$/m);
  t.regex(stdout, /keys reseal/);
  t.not(house.secretRing.keys('cookies')[0]?.id, 'configured');
  t.regex((await keys('list')).stdout, /^cookies {2}configured {2}previous/m);
  const early = await keys('retire', 'cookies', 'configured');
  t.is(early.code, 1);
  t.regex(early.stderr, /may still come back until/);
  t.is((await keys('reseal')).code, 0);
});

test.serial('the command puts another master key in use and retires the last one, and tells no secret', async (t) => {
  const alone = await keysOf(t);
  const [, only] = /^master {2}([0-9a-f]{8}) {2}current$/m.exec((await alone.keys('list')).stdout) ?? [];
  t.truthy(only);
  const none = await alone.keys('rotate', 'master');
  t.is(none.code, 1);
  t.regex(none.stderr, /nothing was changed.*TONGBAN_OTHER_ENCRYPTION_KEYS/);

  const fresh = 'q7Jm2vX0Zp4sT8uLw1yB6nE3rH5kD9aGcF_-iOMtQVU';
  const { keys } = await keysOf(t, [fresh]);
  const early = await keys('retire', 'master', String(only));
  t.is(early.code, 1);
  t.regex(early.stderr, /It is in use; rotate first/);
  const rotated = await keys('rotate', 'master');
  t.is(rotated.code, 0, rotated.stderr);
  const [, id] = /^master: ([0-9a-f]{8}) is in use now, \d+ keys were sealed anew/.exec(rotated.stdout) ?? [];
  t.regex((await keys('list')).stdout, new RegExp(`^master  ${id}  current\nmaster  ${only}  given$`, 'm'));
  t.is((await keys('retire', 'master', String(only))).code, 0);
  t.regex((await keys('list')).stdout, new RegExp(`^master  ${only}  retired$`, 'm'));
  t.regex((await keys('rotate', 'master', String(only))).stderr, /It is retired/);
  for (const words of [
    ['rotate', 'master', 'a', 'b'],
    ['retire', 'master'],
  ]) {
    t.is((await keys(...words)).code, 2, words.join(' '));
  }
  t.false([none, early, rotated].some(({ stdout, stderr }) => (stdout + stderr).includes(fresh)));
});

test.serial('the command refuses what cannot be, and says why', async (t) => {
  const { keys } = await keysOf(t);
  const pairwise = await keys('rotate', 'pairwise');
  t.is(pairwise.code, 1);
  t.regex(pairwise.stderr, /every portal would take everybody for somebody else/);
  const inUse = await keys('retire', 'sealing', 'configured');
  t.is(inUse.code, 1);
  t.regex(inUse.stderr, /rotate first/);
  t.regex((await keys('retire', 'index', 'ffffffff')).stderr, /no such key/);
  for (const words of [
    ['rotate', 'everything'],
    ['retire', 'sealing'],
    ['retire', 'ES256', 'x'],
    ['reseal', '--per-second', '0'],
    ['melt'],
  ]) {
    t.is((await keys(...words)).code, 2, words.join(' '));
  }
});
