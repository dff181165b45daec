import test from 'ava';
import { parseExposition } from './support/exposition.ts';
import { freePort, redemption, startServer, WANG } from './support/server.ts';

test('the codes and tokens of a portal are counted, and a code presented twice as what it is', async (t) => {
  const port = await freePort();
  const server = await startServer(t, { monitoring: { port } });
  await server.addPerson(WANG);
  const portal = await server.addPortal();
  const code = redemption(await server.signIn(server.browser(), portal));
  t.is((await server.token(portal, code)).status, 200);
  t.is((await server.token(portal, code)).status, 400);
  const { samples } = parseExposition(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text());
  const shown = (name: string, labels: Readonly<Record<string, string>>): number | undefined =>
    samples.find((sample) => sample.name === name && JSON.stringify(sample.labels) === JSON.stringify(labels))?.value;
  const changes = (model: string, change: string) => shown('tongban_artifact_changes_total', { model, change });
  t.is(changes('AuthorizationCode', 'written'), 1);
  t.is(changes('AuthorizationCode', 'consumed'), 1);
  t.is(changes('AccessToken', 'written'), 1);
  t.true((shown('tongban_artifact_lookups_total', { model: 'AuthorizationCode' }) ?? 0) >= 2);
  t.is(shown('tongban_artifact_conflicts_total', { model: 'PushedAuthorizationRequest' }), 0);
  // Ten at once: the one that comes first wins, and who loses only at the commit is a conflict.
  const raced = redemption(await server.signIn(server.browser(), portal));
  const answers = await Promise.all(Array.from({ length: 10 }, () => server.token(portal, raced)));
  t.is(answers.filter(({ status }) => status === 200).length, 1);
  const after = parseExposition(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text());
  const conflicts = after.samples.find(
    ({ name, labels }) => name === 'tongban_artifact_conflicts_total' && labels.model === 'AuthorizationCode',
  );
  t.true((conflicts?.value ?? 0) > 0);
});
