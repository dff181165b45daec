import Router from '@koa/router';
import type { Context } from 'koa';
import { RECOVER } from '../entrances.ts';
import { postCode, postCodeAgain, showCode } from './code-step.ts';
import { postPassword, showPassword, showWaiting } from './password-step.ts';
import { postProof, showProof } from './proof-step.ts';
import type { RecoverySources } from './recovery-sources.ts';
import { STEPS } from './steps.ts';
import { postWithCode, showWithCode } from './with-code-step.ts';

type Step = (ctx: Context, sources: RecoverySources) => Promise<void>;

/**
 * A new password for whom has forgotten theirs: by the register and a code to the verified number, or by a recovery code. Strangers
 * learn nothing on the way, and the person is told everywhere and can stop it while it waits.
 */
export function recoveryRoutes(sources: RecoverySources): Router {
  const router = new Router();
  const at = (step: Step) => (ctx: unknown) => step(ctx as Context, sources);
  router.get(RECOVER, at(showProof));
  router.post(RECOVER, at(postProof));
  router.get(STEPS.code, at(showCode));
  router.post(STEPS.code, at(postCode));
  router.post(`${STEPS.code}/again`, at(postCodeAgain));
  router.get(STEPS.withCode, at(showWithCode));
  router.post(STEPS.withCode, at(postWithCode));
  router.get(STEPS.waiting, at(showWaiting));
  router.get(STEPS.password, at(showPassword));
  router.post(STEPS.password, at(postPassword));
  return router;
}
