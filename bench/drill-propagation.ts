import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type House, openHouse } from '../src/app.ts';
import { prepareConfig } from '../src/config/prepare.ts';
import { monotonicMs } from '../src/shared/clock.ts';
import { Browser } from './browser.ts';
import { quantile } from './measure.ts';
import { inventedPerson } from './peers.ts';
import { CONSENT } from './scenarios.ts';
import { endServersOnSignal } from './server-process.ts';
import { authorizationPath, authorize, basicCredentials, memberOf, redeem } from './sign-in.ts';
import { type Node, startTwoNodes } from './two-nodes.ts';

/*
 * `npm run drill:propagation -- [--rounds 20] [--engine postgres|sqlite]... [--redis redis://127.0.0.1:6379]`: this process, beside two nodes as an
 * operator's would be, ends sessions, disables people, revokes mandates, changes portals and replaces signing keys. After each COMMIT both nodes
 * are asked again and again until both have heard of it. Says the middle and the longest delay of each kind, and ends with 1 when one was
 * a second or more. What a question to a node takes is part of what is measured.
 */

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    engine: { type: 'string', multiple: true, default: ['postgres', 'sqlite'] },
    redis: { type: 'string', default: 'redis://127.0.0.1:6379' },
  },
});
const ROUNDS = Number(values.rounds);
const PROMISED_MS = 1000;
const GIVEN_UP_MS = 10_000;
const ASK_AGAIN_MS = 2;
const USCC = '91339900MA9X010302';
const CHANGING = 'drill-changing';
const OPERATOR = { operator: 'drill' } as const;
const AGED = `UPDATE keys SET created_at = created_at - 1000 WHERE purpose = 'signing'`;

/** Makes one change, committed when it resolves, and says how a node shows that it knows. */
type Round = () => Promise<(node: Node) => Promise<boolean>>;

async function delayOf(nodes: readonly Node[], round: Round): Promise<number> {
  const isSeenAt = await round();
  const committedMs = monotonicMs();
  const delays = nodes.map(async (node) => {
    while (!(await isSeenAt(node))) {
      if (monotonicMs() - committedMs > GIVEN_UP_MS) return Number.POSITIVE_INFINITY;
      await pause(ASK_AGAIN_MS);
    }
    return monotonicMs() - committedMs;
  });
  return Math.max(...(await Promise.all(delays)));
}

async function isLive(node: Node, token: string): Promise<boolean> {
  const answer = await fetch(new URL('/token/introspection', node.origin), {
    method: 'POST',
    headers: { authorization: basicCredentials(node) },
    body: new URLSearchParams({ token }),
  });
  return ((await answer.json()) as { active: boolean }).active;
}

async function isTaken(node: Node, client: string): Promise<boolean> {
  const path = authorizationPath({ ...node, client: { ...node.client, id: client } }, {});
  const answer = await fetch(new URL(path, node.origin), { redirect: 'manual' });
  await answer.arrayBuffer();
  return answer.status === 303;
}

/** A fresh sign-in at the first node, known to be live at both. */
async function accessToken(nodes: readonly [Node, Node], query: Readonly<Record<string, string>>): Promise<string> {
  const [home] = nodes;
  const browser = new Browser(home.origin);
  const { code } = await authorize(home, browser, authorizationPath(home, { ...CONSENT, ...query }), home.people[0]);
  const token = memberOf(await redeem(home, browser.connection, code), 'access_token');
  browser.connection.close();
  for (const node of nodes) if (!(await isLive(node, token))) throw new Error('a fresh token is not live');
  return token;
}

async function rounds(house: House, nodes: readonly [Node, Node]): Promise<Readonly<Record<string, Round>>> {
  const [home] = nodes;
  const { personId } = (await house.database.get<{ personId: string }>('SELECT id AS "personId" FROM persons', []))!;
  const ended = (token: string) => async (node: Node) => !(await isLive(node, token));
  const company = await house.legalPersons.add(
    { uscc: USCC as never, name: '示例远航物流有限公司', origin: 'drill' },
    OPERATOR,
  );
  if (!company.ok) throw new Error(company.reason);
  const record = { client_name: 'Changing', redirect_uris: [home.client.redirectUri] };
  const must = async <T extends { readonly ok: boolean }>(changing: Promise<T>): Promise<T> => {
    const outcome = await changing;
    if (!outcome.ok) throw new Error(JSON.stringify(outcome));
    return outcome;
  };
  await must(house.relyingParties.add({ ...record, client_id: CHANGING }, 'drill'));
  let n = 0;
  return {
    'session ended': async () => {
      const token = await accessToken(nodes, { acting_as: 'self' });
      await house.sessionEnds.endAll(personId, 'ended_by_person');
      return ended(token);
    },
    'person disabled': async () => {
      await house.persons.enable(personId, 'drill', 'drill');
      const token = await accessToken(nodes, { acting_as: 'self' });
      await house.persons.disable(personId, 'drill', 'drill');
      return ended(token);
    },
    'mandate revoked': async () => {
      await house.persons.enable(personId, 'drill', 'drill');
      const granted = await house.mandates.grant(
        {
          kind: 'agent',
          legalPersonId: company.legalPerson.id,
          agent: { personId },
          matters: ['tax'],
          evidence: 'a letter with the seal',
        } as never,
        OPERATOR,
      );
      if (!granted.ok) throw new Error(granted.reason);
      await must(house.mandates.accept(granted.mandate.id, { personId, ...OPERATOR }));
      const token = await accessToken(nodes, { acting_as: USCC });
      await must(house.mandates.revoke(granted.mandate.id, OPERATOR, 'drill'));
      return ended(token);
    },
    'portal added': async () => {
      n += 1;
      const id = `drill-portal-${n}`;
      await must(house.relyingParties.add({ ...record, client_id: id }, 'drill'));
      return (node) => isTaken(node, id);
    },
    'portal changed': async () => {
      const before = await isTaken(home, CHANGING);
      const redirectUris = before ? ['https://portal.example/moved'] : record.redirect_uris;
      await must(
        house.relyingParties.update(CHANGING, { ...record, client_id: CHANGING, redirect_uris: redirectUris }, 'drill'),
      );
      return async (node) => (await isTaken(node, CHANGING)) !== before;
    },
    'portal disabled': async () => {
      const id = `drill-portal-${n}`;
      n -= 1;
      if (!(await isTaken(home, id))) throw new Error(`${id} was not there`);
      await must(house.relyingParties.disable(id, 'drill'));
      return async (node) => !(await isTaken(node, id));
    },
    'key rotated': async () => {
      await house.database.run(AGED, []);
      await must(house.keyring.rotate('ES256'));
      const version = (await house.keyring.jwks()).privateKeys.map(({ kid }) => kid);
      return async (node) => {
        const { keys } = (await (await fetch(new URL('/jwks', node.origin))).json()) as { keys: { kid: string }[] };
        return version.every((kid) => keys.some((key) => key.kid === kid));
      };
    },
  };
}

/** True when each change was seen in time. */
async function drill(engine: string): Promise<boolean> {
  const servers = engine === 'sqlite' ? engine : { redisUrl: values.redis };
  const { nodes, env, stop } = await startTwoNodes(servers, [inventedPerson(0).identifier]);
  const prepared = prepareConfig({ env });
  if (!prepared.ok) throw new Error(prepared.sentences.join('\n'));
  const house = await openHouse(prepared.config, 'drill');
  let isKept = true;
  try {
    process.stdout.write(`${engine}, ${ROUNDS} rounds\n`);
    for (const [kind, round] of Object.entries(await rounds(house, nodes))) {
      const delays: number[] = [];
      for (let at = 0; at < ROUNDS; at += 1) delays.push(await delayOf(nodes, round));
      const [middle, longest] = [quantile(delays, 0.5), Math.max(...delays)];
      isKept &&= longest < PROMISED_MS;
      process.stdout.write(`  ${kind.padEnd(16)} p50 ${middle.toFixed(0)} ms, longest ${longest.toFixed(0)} ms\n`);
    }
  } finally {
    await house.close();
    await stop();
  }
  return isKept;
}

endServersOnSignal();
let isKept = true;
for (const engine of values.engine) {
  if (engine !== 'postgres' && engine !== 'sqlite') throw new Error(`${engine} is no engine`);
  isKept = (await drill(engine)) && isKept;
}
process.stdout.write(isKept ? 'every change was seen at both nodes within a second\n' : 'a change came late\n');
process.exit(isKept ? 0 : 1);
