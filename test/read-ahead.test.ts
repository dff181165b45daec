import test from 'ava';
import { askAhead, askedAhead, forgetAhead, withReadAhead } from '../src/storage/read-ahead.ts';
import { postgresStore, postgresTest } from './support/databases.ts';
import { listenToPostgres } from './support/heard-statements.ts';
import { authorizationPath, callbackOf, PASSWORD, redemption, startServer, WANG } from './support/server.ts';

const SQL = 'SELECT 1';

/** A look-up that counts how often it is really made, and answers with the count. */
function counted(): { readonly look: (name: string) => Promise<number>; readonly made: () => number } {
  let made = 0;
  const look = (name: string): Promise<number> =>
    askedAhead(SQL, [name], async () => {
      made += 1;
      return made;
    });
  return { look, made: () => made };
}

test('what a request asks ahead is there for the first who needs it, and asked anew for the second', async (t) => {
  const { look, made } = counted();
  await withReadAhead(async () => {
    askAhead([() => look('a'), () => look('b')]);
    t.is(made(), 2);
    t.deepEqual([await look('b'), await look('a')], [2, 1]);
    t.is(made(), 2);
    t.is(await look('a'), 3);
  });
});

test('what stands twice among what is asked ahead is asked once and used twice', async (t) => {
  const { look, made } = counted();
  await withReadAhead(async () => {
    askAhead([() => look('a'), () => look('a')]);
    t.is(made(), 1);
    t.deepEqual([await look('a'), await look('a'), await look('a')], [1, 1, 2]);
  });
});

test('V42 once something has taken its time nothing counts that was asked before it', async (t) => {
  const { look } = counted();
  await withReadAhead(async () => {
    askAhead([() => look('a')]);
    forgetAhead();
    t.is(await look('a'), 2);
  });
});

test('what one request asks ahead serves no other, and outside of a request nothing is asked', async (t) => {
  const { look, made } = counted();
  askAhead([() => look('a')]);
  t.is(made(), 0);
  await withReadAhead(async () => askAhead([() => look('a')]));
  await withReadAhead(async () => t.is(await look('a'), 2));
  t.is(await look('a'), 3);
});

test('a look-up ahead that fails is heard of by whoever uses it, and by nobody else', async (t) => {
  const failing = (): Promise<never> => askedAhead(SQL, [], () => Promise.reject(new Error('away')));
  await withReadAhead(async () => {
    askAhead([failing]);
    await new Promise((resolve) => setImmediate(resolve));
    await t.throwsAsync(failing, { message: 'away' });
  });
});

postgresTest.serial(
  'somebody who is signed in opens a portal again with three questions to PostgreSQL and two commits',
  async (t) => {
    const server = await startServer(t, { database: { url: await postgresStore(t) } });
    await server.addPerson(WANG);
    const portal = await server.addPortal();
    const browser = server.browser();
    await server.signIn(browser, portal);
    const again = async (): Promise<void> => {
      const answer = await browser.get(authorizationPath(portal, { prompt: 'none' }));
      t.is((await server.token(portal, redemption(callbackOf(answer)))).status, 200);
    };
    await again();
    const listening = listenToPostgres();
    t.teardown(listening.stop);
    await again();
    listening.stop();
    const ofPeople = listening
      .messages()
      .filter((texts) => texts.some((text) => /sessions|persons|consents/.test(text)));
    t.is(ofPeople.length, 3, JSON.stringify(ofPeople, null, 1));
  },
);

postgresTest.serial(
  'a whole sign-in with its consent says twelve things to PostgreSQL of the person and their sign-in',
  async (t) => {
    const server = await startServer(t, { database: { url: await postgresStore(t) } });
    await server.addPerson(WANG);
    const portal = await server.addPortal();
    const signIn = async (besides: Record<string, string>): Promise<void> => {
      const browser = server.browser();
      await browser.get(authorizationPath(portal, { prompt: 'consent' }));
      await browser.submit({ identifier: WANG.idNumber, password: PASSWORD, ...besides }, '/identify');
      await browser.follow();
      const allowed = await browser.submit({ decision: 'allow' }, '/consent');
      t.is((await server.token(portal, redemption(callbackOf(allowed)))).status, 200);
    };
    const told = async (besides: Record<string, string>): Promise<readonly (readonly string[])[]> => {
      const listening = listenToPostgres();
      t.teardown(listening.stop);
      await signIn(besides);
      listening.stop();
      return listening
        .messages()
        .filter((texts) =>
          texts.some((text) => /counters|passwords|persons|known_devices|sessions|consents/.test(text)),
        );
    };
    await signIn({});
    const ofPeople = await told({});
    // Whether the address is under suspicion, for the page and the form; who it is, the attempt, the secret, what follows from it, the commit; the page of the
    // consent; two and the commit for the consent; the tokens. No transaction waits for an answer, so each is one message.
    t.is(ofPeople.length, 12, JSON.stringify(ofPeople, null, 1));
    const atOnce = await told({ at_once: '1' });
    t.is(
      atOnce.length,
      11,
      `where scripts run the page of the consent asks nothing more: ${JSON.stringify(atOnce, null, 1)}`,
    );
  },
);
