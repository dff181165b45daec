import Router from '@koa/router';
import type { Context } from 'koa';
import { postConfirm, showConfirm } from './confirm-step.ts';
import type { EnrolmentSources } from './enrolment-sources.ts';
import { postIdentity, postResume, showIdentity } from './identity-step.ts';
import { postPasskey } from './passkey-step.ts';
import { PASSKEY, postPassword, showExists, showPassword } from './password-step.ts';
import { postCode, postCodeAgain, postPhone, showCode, showPhone } from './phone-steps.ts';
import { PAGE, PAGE_OF } from './steps.ts';

type Step = (ctx: Context, sources: EnrolmentSources) => Promise<void>;

/**
 * Opening an account oneself: name and number, phone, code, password, each on a page of its own. What was done is kept in a draft of
 * this browser, so that each step can be done again later and none can be skipped. Whoever comes from a sign-in goes back to it
 * afterwards, everybody else to the account centre.
 */
export function enrolmentRoutes(sources: EnrolmentSources): Router {
  const router = new Router();
  const at = (step: Step) => (ctx: unknown) => step(ctx as Context, sources);
  router.get(PAGE, at(showIdentity));
  router.post(PAGE, at(postIdentity));
  router.post(`${PAGE}/resume`, at(postResume));
  router.get(PAGE_OF.phone, at(showPhone));
  router.post(PAGE_OF.phone, at(postPhone));
  router.get(PAGE_OF.code, at(showCode));
  router.post(PAGE_OF.code, at(postCode));
  router.post(`${PAGE_OF.code}/again`, at(postCodeAgain));
  router.get(PAGE_OF.password, at(showPassword));
  router.post(PAGE_OF.password, at(postPassword));
  router.post(PASSKEY, at(postPasskey));
  router.get(PAGE_OF.exists, at(showExists));
  router.get(PAGE_OF.confirm, at(showConfirm));
  router.post(PAGE_OF.confirm, at(postConfirm));
  return router;
}
