import type { Context } from 'koa';
import type { AssuranceLevel } from '../proofing/levels.ts';
import type { CeremonyRequest } from './interactions.ts';
import type { Climber } from './ladder.ts';
import { frame, localesOf, type SignInSources } from './step.ts';

/** Says that the identity is not proven well enough for this portal, and where that can be changed; the form leads back to the portal. */
export async function showProveIdentity(
  ctx: Context,
  request: CeremonyRequest,
  sources: SignInSources,
  { ial, climber }: { readonly ial: AssuranceLevel; readonly climber: Climber },
): Promise<void> {
  const { portal, formToken } = await frame(ctx, request, sources);
  sources.renderer.page(
    ctx,
    'prove-identity',
    {
      action: `/interaction/${request.uid}/cancel`,
      formToken,
      portal,
      wanted: ial,
      held: climber.ial,
      documentsUrl: sources.documentsUrl,
      switchUrl: `/interaction/${request.uid}?switch=1`,
    },
    localesOf(request),
  );
}
