import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import { maskEmail, maskPhone, maskUserName } from '../people/masking.ts';
import type { FactorsView } from '../web/pages-factors.ts';
import { accountToken, type Visitor, visitorOrSignIn } from './account-form.ts';
import { CERTIFICATE } from './certificate-pages.ts';
import { addContactRoutes } from './contact-pages.ts';
import type { AccountCentreSources } from './doors.ts';
import { AUTHENTICATOR } from './factors/authenticator-page.ts';
import { FACTOR } from './factors/factor-page.ts';
import { TOKEN } from './factors/token-page.ts';
import { PASSKEY } from './passkey-pages.ts';
import { addPasswordRoutes } from './password-pages.ts';
import { addUserNameRoutes } from './user-name-pages.ts';

const PAGE = '/account/methods';
const DONE = z.enum([
  'password',
  'bound',
  'removed',
  'passkey',
  'certificate',
  'factor',
  'factor-renamed',
  'factor-removed',
  'factor-always',
  'factor-sometimes',
]);

/** With what a person signs in, and how they change it. Documents and the password always open the account. */
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
  const [bound, passwordChangedAt, factors] = await Promise.all([
    identifiers.list(personId),
    passwords.changedAt(personId),
    factorsOf(personId, sources),
  ]);
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
    factors,
    ...(done.success ? { done: done.data } : {}),
  });
}

/** Every factor beside the password, whatever kind it is of, and which more can be added. */
async function factorsOf(
  personId: string,
  { boundFactors, certificates, factorPolicies, tokenStock, recoveryCodes }: AccountCentreSources,
): Promise<FactorsView> {
  const [bound, { alwaysAsk }, isStocked, stock] = await Promise.all([
    boundFactors.list(personId),
    factorPolicies.of(personId),
    tokenStock.isStocked(),
    recoveryCodes.stock(personId),
  ]);
  return {
    alwaysAsk,
    bound: bound.map(({ id, kind, label, boundAt, lastUsedAt }) => ({
      kind,
      label,
      url: `${FACTOR}?${new URLSearchParams({ id })}`,
      boundAt,
      ...(lastUsedAt === undefined ? {} : { lastUsedAt }),
    })),
    addable: [
      { kind: 'passkey', url: PASSKEY },
      ...(certificates.offered ? [{ kind: 'certificate', url: CERTIFICATE } as const] : []),
      ...(isStocked ? [{ kind: 'otp_token', url: TOKEN } as const] : []),
      { kind: 'totp', url: AUTHENTICATOR },
    ],
    hasRecoveryCodes: stock !== undefined && stock.left > 0,
  };
}

const contactsOf = ({ profile: { phone, email, userName } }: Visitor) =>
  [
    { type: 'phone', channel: 'sms', value: phone && maskPhone(phone) },
    { type: 'email', channel: 'email', value: email && maskEmail(email) },
    { type: 'user_name', channel: undefined, value: userName && maskUserName(userName) },
  ] as const;
