import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { run } from '../src/commands/factor.ts';
import { readTokenFile } from '../src/commands/token-file.ts';
import { temporaryFolder } from './support/folders.ts';
import { startServer, WANG } from './support/server.ts';
import { allTold, oneTold } from './support/told-events.ts';
import { writtenBy } from './support/written.ts';

const HEADING = 'serial,algorithm,seed,period,digits';
const KEY = 'AB'.repeat(16);

async function shell(t: ExecutionContext) {
  const server = await startServer(t);
  const folder = temporaryFolder(t);
  const tongban = async (...args: readonly string[]) => {
    const { written, ...streams } = writtenBy();
    const code = await run(args, { house: server.house, ...streams });
    return { code, ...written };
  };
  const file = (...lines: readonly string[]): string => {
    const path = join(folder, 'tokens.csv');
    writeFileSync(path, [HEADING, ...lines].join('\r\n'));
    return path;
  };
  return { server, tongban, file };
}

test('tokens are taken into stock whole or not at all, first as a trial, and no seed is readable afterwards', async (t) => {
  const { server, tongban, file } = await shell(t);
  const lines = Array.from({ length: 1500 }, (_, at) => `HW${String(at).padStart(6, '0')},gmt0021,${KEY},60,6`);
  const trial = await tongban('tokens', 'import', file(...lines), '--dry-run');
  t.like(trial, { code: 0, stdout: '1500 tokens could be taken in; nothing was written.\n' });
  t.is((await tongban('tokens', 'count')).stdout, '0 in stock, 0 with people.\n');
  const done = await tongban('tokens', 'import', file(...lines));
  t.is(done.code, 0);
  t.true(done.stdout.startsWith('1500 tokens are in stock.'));
  t.deepEqual(JSON.parse((await tongban('tokens', 'count', '--json')).stdout), { inStock: 1500, bound: 0 });
  t.like(await oneTold('factor.tokens-imported', {}, server), { data: { origin: 'command', count: 1500 } });
  for (const mode of [[], ['--dry-run']]) {
    const again = await tongban('tokens', 'import', file(`NEW0001,totp-hmac-sm3,${KEY},30,8`, lines[7]!), ...mode);
    t.is(again.code, 1);
    t.true(again.stderr.includes('line 3: this token is there already'));
  }
  t.is((await server.house.tokenStock.counts()).inStock, 1500);
  const rows = await server.house.database.all<Record<string, unknown>>('SELECT * FROM bound_factors LIMIT 5', []);
  for (const value of rows.flatMap((row) => Object.values(row))) {
    const text = value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : String(value);
    t.false(text.toLowerCase().includes(KEY.toLowerCase()));
  }
});

test('every line that is wrong is told, without what stands in it', async (t) => {
  const wrong = [
    `HW1,gmt0021,${KEY},60,6`,
    `HW00001,hotp,${KEY},60,6`,
    `HW00002,gmt0021,${KEY.slice(2)},60,6`,
    `HW00003,gmt0021,${KEY},61,6`,
    `HW00004,gmt0021,${KEY},60,5`,
    `HW00005,gmt0021,${KEY},60`,
    `HW00006,gmt0021,${KEY},60,6`,
    `hw-00006,gmt0021,${KEY},60,6`,
  ];
  const read = readTokenFile(Buffer.from([HEADING, ...wrong].join('\n')));
  t.false(read.ok);
  if (read.ok) return;
  t.deepEqual(
    read.faults.map(({ line }) => line),
    [2, 3, 4, 5, 6, 7, 9],
  );
  t.false(JSON.stringify(read.faults).includes(KEY.slice(2)));
  for (const text of ['', HEADING, 'serial,seed\nHW00001,ab', `${HEADING}\n"HW00001`])
    t.false(readTokenFile(Buffer.from(text)).ok, text);
  const { tongban, file, server } = await shell(t);
  t.is((await tongban('tokens', 'import', file(`HW00001,gmt0021,${KEY},60,6`, wrong[1]!))).code, 1);
  t.is((await server.house.tokenStock.counts()).inStock, 0);
});

test('D12 staff see what somebody has and take off what was lost, with a reason, and the person is told', async (t) => {
  const { tongban, server } = await shell(t);
  const { database, boundFactors } = server.house;
  const wang = await server.addPerson(WANG);
  const factor = { kind: 'totp', personId: wang, label: '王的手机', secret: 'JBSWY3DPEHPK3PXP', state: '0 0' } as const;
  const bound = await database.write((tx) => boundFactors.bind(tx, factor, { origin: 'test' }));
  if (!bound.ok) return t.fail(bound.reason);
  const listed = await tongban('list', wang);
  t.true(listed.stdout.startsWith(`${bound.id}  totp  since `));
  t.false(listed.stdout.includes('王的手机') || listed.stdout.includes('JBSWY'));
  t.is((await tongban('remove', wang, bound.id)).code, 2, 'not without a reason');
  t.is((await tongban('remove', 'psn_other', bound.id, '--reason', 'lost')).code, 1);
  t.is((await tongban('remove', wang, bound.id, '--reason', 'phone lost, card seen')).code, 0);
  t.deepEqual(await boundFactors.list(wang), []);
  t.like(await oneTold('factor.removed', {}, server), {
    subject: wang,
    data: { origin: 'command', kind: 'totp', cause: 'lost', reason: 'sealed phone lost, card seen' },
  });
  t.like((await allTold(server, 'person.notified')).at(-1), { subject: wang, data: { notice: 'factor-removed' } });
  t.is((await tongban('remove', wang, bound.id, '--reason', 'again')).code, 1);
  t.is((await tongban('list', wang)).stdout, 'None but the password.\n');
  for (const args of [[], ['tokens'], ['tokens', 'import'], ['list'], ['remove', wang], ['list', wang, '--force']])
    t.is((await tongban(...args)).code, 2, args.join(' '));
});
