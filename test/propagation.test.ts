import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { ConfigOverrides } from '../src/config/schema.ts';
import { embeddedTest, postgresStore, postgresTest, temporaryFolder } from './support/databases.ts';
import { introspect, tokensOf, userinfo } from './support/portal-calls.ts';
import { tongban } from './support/product.ts';
import {
  authorizationPath,
  LI,
  REDIRECT_URI,
  redemption,
  startServer,
  type TestServer,
  WANG,
} from './support/server.ts';
import { until } from './support/waiting.ts';

/** The promise is a second, and `npm run drill:propagation` measures it; here a busy machine has more. */
const SEEN_MS_MAX = 8_000;

/** Two nodes on one store, and commands beside them, each a process of its own. */
interface House {
  readonly one: TestServer;
  readonly other: TestServer;
  /** Runs a command to its end; what it printed, or throws. */
  command(...args: readonly string[]): Promise<string>;
}

async function twoNodes(t: ExecutionContext, engine: 'sqlite' | 'postgres'): Promise<House> {
  const folder = temporaryFolder(t);
  const url = engine === 'postgres' ? await postgresStore(t) : '';
  const overrides: ConfigOverrides = {
    dataDir: folder,
    limits: { failuresPerAccount: 100 },
    ...(url === '' ? {} : { database: { url, poolMax: 5, connectTimeoutMs: 20_000 } }),
  };
  const one = await startServer(t, overrides);
  const other = await startServer(t, overrides);
  const env = { TONGBAN_PROFILE: 'test', TONGBAN_DATA_DIR: folder, TONGBAN_ISSUER: one.issuer };
  return {
    one,
    other,
    async command(...args) {
      const ended = await tongban(args, { ...env, ...(url === '' ? {} : { TONGBAN_DATABASE_URL: url }) });
      if (ended.code !== 0) throw new Error(`${args.join(' ')}: ${ended.stderr}`);
      return ended.stdout;
    },
  };
}

const statusOfRequest = async (node: TestServer, id: string, query: Record<string, string> = {}): Promise<number> => {
  const url = `${node.issuer}${authorizationPath({ id, secret: '' }, query)}`;
  return (await fetch(url, { redirect: 'manual' })).status;
};

const keyIds = async ({ issuer }: TestServer): Promise<readonly string[]> => {
  const { keys } = (await (await fetch(`${issuer}/jwks`)).json()) as { keys: readonly { kid: string }[] };
  return keys.map(({ kid }) => kid);
};

for (const [engine, engineTest] of [
  ['sqlite', embeddedTest],
  ['postgres', postgresTest],
] as const) {
  engineTest.serial(`C11 F2 what ends at one node or by command has ended at the other (${engine})`, async (t) => {
    const { one, other, command } = await twoNodes(t, engine);
    const wang = await one.addPerson(WANG);
    await one.addPerson(LI);
    const portal = await one.addPortal();
    const isActive = async (tokens: Record<string, unknown>): Promise<boolean> =>
      (await introspect(other, portal, tokens.access_token)).active === true;

    const first = await tokensOf(one, portal, one.browser());
    t.true(await isActive(first));
    await one.house.sessionEnds.endAll(wang, 'ended_by_person');
    t.true(await until(async () => !(await isActive(first)), SEEN_MS_MAX), 'an ended session');

    const second = await tokensOf(one, portal, one.browser());
    const callback = await one.signIn(one.browser(), portal, { identifier: LI.idNumber });
    const { body: neighbour } = await one.token(portal, redemption(callback));
    t.deepEqual([await isActive(second), await isActive(neighbour)], [true, true]);
    await command('person', 'disable', '--id-number', WANG.idNumber);
    t.true(await until(async () => !(await isActive(second)), SEEN_MS_MAX), 'a disabled person');
    t.is((await userinfo(other, second.access_token)).status, 401);
    t.true(await isActive(neighbour), 'and nobody else');
  });

  engineTest.serial(`F3 a mandate revoked by command is worth nothing at any node (${engine})`, async (t) => {
    const { one, other, command } = await twoNodes(t, engine);
    const agent = await one.addPerson(WANG);
    const portal = await one.addPortal({ client_id: 'business-start-up', accepts_subjects: ['natural', 'legal'] });
    await command('company', 'add', '--uscc', '91339900MA9X010302', '--name', '示例远航物流有限公司', '--json');
    const terms = ['--matter', 'tax', '--portal', portal.id, '--evidence', 'a letter with the seal'];
    const granted = await command(
      ...['mandate', 'grant', '--company', '91339900MA9X010302', '--agent', agent, ...terms, '--json'],
    );
    const { id } = JSON.parse(granted) as { id: string };
    await command('mandate', 'accept', id, '--as', agent, '--json');
    const callback = await one.signIn(one.browser(), portal, { actingAs: id });
    const { body } = await one.token(portal, redemption(callback));
    t.is((await userinfo(other, body.access_token)).status, 200, JSON.stringify(body));
    await command('mandate', 'revoke', id, '--reason', 'called the hotline');
    t.true(await until(async () => (await userinfo(other, body.access_token)).status === 401, SEEN_MS_MAX));
  });

  engineTest.serial(`a portal added, changed, disabled and enabled is so at every node (${engine})`, async (t) => {
    const { one, other, command } = await twoNodes(t, engine);
    const file = join(temporaryFolder(t), 'portal.json');
    const record = { client_name: '门户', redirect_uris: [REDIRECT_URI], scope: 'openid profile' };
    await writeFile(file, JSON.stringify(record));
    const { client_id: id } = JSON.parse(await command('client', 'add', file, '--json')) as { client_id: string };
    t.true(await until(async () => (await statusOfRequest(other, id)) === 200, SEEN_MS_MAX), 'added');
    const moved = `${REDIRECT_URI}/moved`;
    t.is(await statusOfRequest(other, id, { redirect_uri: moved }), 400);
    await one.house.relyingParties.update(id, { ...record, redirect_uris: [moved] }, 'test');
    const asMoved = () => statusOfRequest(other, id, { redirect_uri: moved });
    t.true(await until(async () => (await asMoved()) === 200, SEEN_MS_MAX), 'changed');
    t.is(await statusOfRequest(other, id), 400, 'the address of before is refused');
    await command('client', 'disable', id);
    t.true(await until(async () => (await asMoved()) === 400, SEEN_MS_MAX), 'disabled');
    await one.house.relyingParties.enable(id, 'test');
    t.true(await until(async () => (await asMoved()) === 200, SEEN_MS_MAX), 'enabled');
  });

  engineTest.serial(`B6 keys replaced at one node or by command are in use at the other (${engine})`, async (t) => {
    const { one, other, command } = await twoNodes(t, engine);
    const before = await keyIds(other);
    const aged = `UPDATE keys SET created_at = created_at - 400 WHERE purpose = 'signing' AND state = 'next'`;
    await one.house.database.run(aged, []);
    const said = await command('keys', 'rotate');
    const inUse = [...said.matchAll(/^\w+: (\S+) signs now\.$/gm)].map(([, kid]) => kid);
    t.true(inUse.length >= 3, said);
    const isNew = async (): Promise<boolean> => {
      const kids = await keyIds(other);
      return kids.length === before.length + inUse.length && inUse.every((kid) => kids.includes(kid ?? ''));
    };
    t.true(await until(isNew, SEEN_MS_MAX), 'signing keys');
    const portal = await other.addPortal();
    await one.addPerson(WANG);
    const { id_token: token } = await tokensOf(other, portal, other.browser());
    const header = JSON.parse(Buffer.from(String(token).split('.')[0] ?? '', 'base64url').toString()) as {
      kid: string;
    };
    t.true(inUse.includes(header.kid), 'the other signs with the new key');

    await one.house.keyRotation.stage('cookies');
    const ringOf = ({ house }: TestServer) => house.secretRing.keys('cookies').map(({ id }) => id);
    const both = ringOf(one);
    t.is(both.length, 2);
    t.true(await until(() => ringOf(other).join() === both.join(), SEEN_MS_MAX), 'keys of the ring');
  });

  engineTest.serial(`what a person demands of their own sign-ins holds at every node (${engine})`, async (t) => {
    const { one, other } = await twoNodes(t, engine);
    const wang = await one.addPerson(WANG);
    const policy = { alwaysAsk: true };
    t.false((await other.house.factorPolicies.of(wang)).alwaysAsk);
    await one.house.database.write((tx) => one.house.factorPolicies.set(tx, wang, policy, { origin: 'test' }));
    t.true((await other.house.factorPolicies.of(wang)).alwaysAsk);
  });
}
