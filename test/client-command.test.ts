import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import test, { type ExecutionContext } from 'ava';
import { run } from '../src/commands/client.ts';
import { createRelyingParties } from '../src/relying-parties/relying-parties.ts';
import { secretMatches } from '../src/relying-parties/secret.ts';
import { sqliteDatabase } from './support/databases.ts';
import { temporaryFolder } from './support/folders.ts';
import { testLedger } from './support/ledger.ts';

const PORTAL = { client_id: 'hall', client_name: '办事大厅', redirect_uris: ['https://portal.example.cn/callback'] };

async function shell(t: ExecutionContext) {
  const database = await sqliteDatabase(t);
  const relyingParties = createRelyingParties({ database, ledger: testLedger(database) });
  const tongban = async (args: readonly string[], input = '') => {
    const written = { stdout: '', stderr: '' };
    const sink = (name: keyof typeof written) => ({
      write: (text: string) => {
        written[name] += text;
      },
    });
    const context = { relyingParties, stdin: Readable.from([input]), stdout: sink('stdout'), stderr: sink('stderr') };
    return { code: await run(args, context), ...written };
  };
  return { tongban, relyingParties };
}

test('client add takes a file or standard input and shows the secret once', async (t) => {
  const { tongban, relyingParties } = await shell(t);
  const file = join(temporaryFolder(t), 'portal.json');
  writeFileSync(file, JSON.stringify(PORTAL));
  const text = await tongban(['add', file]);
  t.is(text.code, 0);
  const secret = /client_secret \(shown only now\): ([\w-]{43})\n$/.exec(text.stdout)?.[1];
  t.true(secretMatches((await relyingParties.find('hall'))!.secretDigest!, secret!));
  const json = await tongban(['add', '-', '--json'], JSON.stringify({ ...PORTAL, client_id: undefined }));
  const printed = JSON.parse(json.stdout);
  t.regex(printed.client_secret, /^[\w-]{43}$/);
  t.truthy(await relyingParties.find(printed.client_id));
  const shown = await tongban(['show', 'hall', '--json']);
  t.false(shown.stdout.includes(secret!) || shown.stdout.includes('digest') || shown.stdout.includes('sha256'));
});

test('client list, show, disable, enable and rotate-secret answer as text and as JSON', async (t) => {
  const { tongban, relyingParties } = await shell(t);
  t.is((await tongban(['list'])).stdout, 'No portal is registered.\n');
  await tongban(['add', '-'], JSON.stringify(PORTAL));
  t.is((await tongban(['list'])).stdout, 'hall  active  办事大厅\n');
  t.is(JSON.parse((await tongban(['list', '--json'])).stdout)[0].client_id, 'hall');
  t.true((await tongban(['show', 'hall'])).stdout.startsWith('hall  active'));
  t.is((await tongban(['disable', 'hall'])).stdout, 'hall is now disabled.\n');
  t.is((await tongban(['disable', 'hall'])).stdout, 'hall is already disabled.\n');
  t.is(await relyingParties.find('hall'), undefined);
  t.deepEqual(JSON.parse((await tongban(['enable', 'hall', '--json'])).stdout), {
    client_id: 'hall',
    status: 'active',
    changed: true,
  });
  const { client_secret } = JSON.parse((await tongban(['rotate-secret', 'hall', '--json'])).stdout);
  t.true(secretMatches((await relyingParties.find('hall'))!.secretDigest!, client_secret));
});

test('each fault is one sentence and the exit code tells refused from not understood', async (t) => {
  const { tongban } = await shell(t);
  const bad = await tongban(
    ['add', '-'],
    JSON.stringify({ ...PORTAL, redirect_uris: ['javascript:alert(1)'], 'x\u001b[2J': 1 }),
  );
  t.is(bad.code, 1);
  t.is(bad.stderr, 'x?[2J is not a field of a relying party.\nredirect_uris[0] must not use the scheme javascript:.\n');
  t.is((await tongban(['add', '-'], '{')).stderr, 'Standard input is not valid JSON.\n');
  t.is((await tongban(['add', '-'], ' '.repeat(300_000))).code, 1);
  t.is((await tongban(['add', '/nowhere/portal.json'])).code, 1);
  t.is((await tongban(['add', '-'], '{}')).stderr.split('\n')[0], 'client_name must be given.');
  for (const action of ['show', 'disable', 'enable', 'rotate-secret']) {
    const unknown = await tongban([action, 'nobody\u001b[2J']);
    t.is(unknown.code, 1);
    t.is(unknown.stderr, 'No portal has the client_id nobody?[2J.\n');
  }
  await tongban(['add', '-'], JSON.stringify({ ...PORTAL, token_endpoint_auth_method: 'none' }));
  t.is((await tongban(['rotate-secret', 'hall'])).code, 1);
  for (const args of [
    [],
    ['add'],
    ['list', 'x'],
    ['remove', 'hall'],
    ['constructor'],
    ['show', 'hall', '--loud'],
    ['show', 'a', 'b'],
  ]) {
    const misunderstood = await tongban(args);
    t.is(misunderstood.code, 2, args.join(' '));
    t.true(misunderstood.stderr.startsWith('Usage:'));
  }
});
