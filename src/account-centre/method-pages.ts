import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import { maskEmail, maskPhone, maskUserName } from '../people/masking.ts';
import { accountToken, type Visitor, visitorOrSignIn } from './account-form.ts';
import { addContactRoutes } from './contact-pages.ts';
import type { AccountCentreSources } from './doors.ts';
import { addPasswordRoutes } from './password-pages.ts';
import { addUserNameRoutes } from './user-name-pages.ts';

const PAGE = '/account/methods';
const DONE = z.enum(['password', 'bound', 'removed', 'passkey']);

/** With what a person signs in, and how they change it. Documents always open the account, so nothing here can lock anybody out. */
export function addMethodRoutes(router: Router, sources: AccountCentreSources): void {
  router.get(PAGE, (ctx) => showMethods(ctx as unknown as Context, sources));
  addPasswordRoutes(router, sources);
  addContactRoutes(router, sources, 'phone');
  addContactRoutes(router, sources, 'email');
  addUserNameRoutes(router, sources);
}

async function showMethods(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-methods';
  const visitor = await visitorOrSignIn(ctx, sources);
  if (!visitor) return;
  const { personId } = visitor;
  const { passwords, identifiers, reach } = sources;
  const [bound, passwordChangedAt] = await Promise.all([identifiers.list(personId), passwords.changedAt(personId)]);
  const done = DONE.safeParse(ctx.query.done);
  sources.renderer.page(ctx, 'account-methods', {
    formToken: accountToken(ctx, sources),
    passwordChangedAt,
    contacts: contactsOf(visitor).map(({ type, channel, value }) => {
      const held = bound.find((one) => one.type === type);
      return {
        type,
        ...(held === undefined || value === undefined ? {} : { value, boundAt: held.boundAt }),
        bindable: channel === undefined || reach.messages.reaches(channel),
      };
    }),
    ...(done.success ? { done: done.data } : {}),
  });
}

const contactsOf = ({ profile: { phone, email, userName } }: Visitor) =>
  [
    { type: 'phone', channel: 'sms', value: phone && maskPhone(phone) },
    { type: 'email', channel: 'email', value: email && maskEmail(email) },
    { type: 'user_name', channel: undefined, value: userName && maskUserName(userName) },
  ] as const;
