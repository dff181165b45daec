import { Browser } from './browser.ts';
import type { RedisBytes } from './engine-space.ts';
import type { Started } from './peers.ts';
import { CONSENT } from './scenarios.ts';
import { authorizationPath, authorize, redeem } from './sign-in.ts';

const SESSIONS = 200;

/**
 * What one session with one portal takes of Redis while its access token is alive, at once and after the minute of its code, or undefined where there is
 * no Redis: so many people sign in, and what all keys take is set against what they took before.
 */
export async function measureRedisSession(server: Started): Promise<RedisBytes | undefined> {
  if (server.redisBytes === undefined) return undefined;
  const before = await server.redisBytes();
  for (let n = 0; n < SESSIONS; n += 1) {
    const browser = new Browser(server.origin);
    const person = server.people[n % server.people.length];
    const { code } = await authorize(server, browser, authorizationPath(server, CONSENT), person);
    await redeem(server, browser.connection, code);
    browser.connection.close();
  }
  const after = await server.redisBytes();
  return { all: (after.all - before.all) / SESSIONS, lasting: (after.lasting - before.lasting) / SESSIONS };
}
