import { nowSeconds } from '../../../src/shared/clock.ts';
import { PEOPLE } from '../legal-persons.ts';
import { idNumberOf } from '../people.ts';
import { fill, typeSignIn } from '../seen.ts';
import { PASSWORD, type TestPortal } from '../server.ts';
import type { Walk } from './town.ts';

const { owner: OWNER } = PEOPLE;

/** What stands between a password and portals: another factor, an identity that is better proven, a password that has grown too old. */
export async function walkLadder({ page, eye, server, hall, enter, signOut }: Walk): Promise<void> {
  const { persons, relyingParties } = server.house;
  const { client_name, redirect_uris } = (await relyingParties.inspect(hall.id))?.record ?? {};
  const english = { 'client_name#en': 'Cloud Hill Hall' };
  const wanting = (level: 2 | 3): Promise<TestPortal> =>
    server.addPortal({ client_name, ...english, redirect_uris, minimum_acr: `urn:tongban:acr:${level}` });
  await signOut();
  await enter(await wanting(3));
  await typeSignIn(page, OWNER.idNumber, PASSWORD);
  await eye.at('second-factor', 'none');
  const { id } = (await persons.findByIdNumber(idNumberOf(OWNER.idNumber)))!;
  await persons.setLevel(id, { ial: 1, reason: 'register_mismatch', origin: 'test' });
  await enter(await wanting(2));
  await eye.at('prove-identity');
  await server.house.database.run('UPDATE passwords SET changed_at = 0 WHERE person_id = $1', [id]);
  await signOut();
  await enter(hall);
  await typeSignIn(page, OWNER.idNumber, PASSWORD);
  await eye.at('new-password');
  await fill(page, { newPassword: 'seven blue kites', newPasswordAgain: 'seven red kites' });
  await eye.wrong('new-password', 'differ');
  // The walk goes on as the same person, with the same password.
  await server.house.database.run('UPDATE passwords SET changed_at = $1 WHERE person_id = $2', [nowSeconds(), id]);
}
