import { spawn } from 'node:child_process';
import { once } from 'node:events';
import test from 'ava';
import { openHouse } from '../src/app.ts';
import { checkCharacter } from '../src/people/documents/mod-11-2.ts';
import { configFor } from './support/audit.ts';
import { temporaryFolder } from './support/folders.ts';
import { idNumberOf } from './support/people.ts';
import { cleanEnvironment, tongban } from './support/product.ts';

const PEOPLE = 40;
const ROOT = new URL('../', import.meta.url);

const numberOf = (at: number): string => {
  const digits = `33990019800101${String(at).padStart(3, '0')}`;
  return digits + checkCharacter(digits);
};

test('X7 killed in the middle of shredding, every account is whole or gone, and the next round ends it', async (t) => {
  const dataDir = temporaryFolder(t);
  const config = configFor({ dataDir });
  const env = { TONGBAN_PROFILE: 'test', TONGBAN_DATA_DIR: dataDir };
  const first = await openHouse(config);
  const ids: string[] = [];
  for (let at = 0; at < PEOPLE; at += 1) {
    const idNumber = idNumberOf(numberOf(at));
    const added = await first.persons.add({ idNumber, name: '王小明', ial: 2, origin: 'test' });
    if (!added.ok) return t.fail(added.reason);
    ids.push(added.person.id);
    await first.closures.ask(added.person.id, { origin: 'test' });
  }
  await first.database.run('UPDATE person_closures SET due_at = 1', []);
  await first.close();

  /** How many are closed, after seeing that none is half closed. */
  const looked = async (): Promise<number> => {
    const house = await openHouse(config);
    let closed = 0;
    for (const id of ids) {
      const status = (await house.persons.find(id))?.status;
      const documents = (await house.persons.documents(id)).length;
      const name = await house.database.get<{ name_sealed: unknown }>('SELECT name_sealed FROM persons WHERE id = $1', [
        id,
      ]);
      t.deepEqual([documents, name?.name_sealed !== null], status === 'closed' ? [0, false] : [1, true], `${status}`);
      if (status === 'closed') closed += 1;
    }
    // A process that died holds the job until its lease ends.
    await house.database.run('UPDATE nightly_jobs SET lease_until_ms = 0', []);
    await house.close();
    return closed;
  };

  const seen: number[] = [];
  for (let kill = 0; kill < 3; kill += 1) {
    const child = spawn(process.execPath, ['src/main.js', 'person', 'closure', '--run'], {
      cwd: ROOT,
      env: { ...cleanEnvironment(), ...env },
      stdio: 'ignore',
    });
    setTimeout(() => child.kill('SIGKILL'), 900 + kill * 400);
    await once(child, 'close');
    seen.push(await looked());
  }
  t.log(`closed after each kill: ${seen.join(', ')}`);
  const { code, stdout, stderr } = await tongban(['person', 'closure', '--run', '--json'], env);
  t.is(code, 0, stderr);
  t.true(stdout.includes('"closures"'));
  t.is(await looked(), PEOPLE);
  const shown = await tongban(['person', 'show', '--id', ids[0]!, '--json'], env);
  t.is(JSON.parse(shown.stdout).status, 'closed');
  t.is((await tongban(['person', 'consents', '--id', ids[0]!, '--json'], env)).stdout.trim(), '[]');
  t.is((await tongban(['person', 'merge', '--undo', 'mrg_none'], env)).code, 1);
  t.is((await tongban(['person', 'merge'], env)).code, 2);
});
