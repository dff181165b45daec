import type { Context } from 'koa';
import type { Failures } from '../ledger/flood.ts';
import { Fault } from '../shared/fault.ts';
import type { Interactions } from './interactions.ts';

/** `elsewhere`: another browser began it (V53). `out_of_order`: nothing like it was asked for, now or any more (V3). */
type Reason = 'elsewhere' | 'out_of_order';

const REASONS: Readonly<Record<string, Reason>> = {
  ceremony_elsewhere: 'elsewhere',
  ceremony_expired: 'out_of_order',
};

/** What a step writes into the state of its request: which portal it is for, and that the ledger has heard of its refusal in other words. */
export interface PlaceState {
  portal?: string;
  isTold?: boolean;
}

export const placeStateOf = (ctx: Context): PlaceState => {
  ctx.state.place ??= {};
  return ctx.state.place as PlaceState;
};

/**
 * Takes a step of a sign-in. One that comes early, late, twice or from another browser is refused by the step itself; here the ledger is told, as of
 * a failure that anybody can repeat.
 */
export async function takeStep(
  ctx: Context,
  name: string,
  step: () => Promise<void>,
  { interactions, failures }: { readonly interactions: Interactions; readonly failures: Failures },
): Promise<void> {
  try {
    await step();
  } catch (error) {
    const reason = error instanceof Fault ? REASONS[error.code] : undefined;
    const { portal, isTold } = placeStateOf(ctx);
    if (reason !== undefined && isTold !== true) {
      const holder = await interactions.currentPerson(ctx);
      await failures.record({
        address: ctx.ip,
        userAgent: ctx.get('user-agent'),
        correlation: String(ctx.state.requestId),
        type: 'sign-in.misplaced',
        outcome: 'failure',
        actor: 'anonymous',
        clientId: portal,
        personId: holder?.personId,
        sessionUid: holder?.sessionUid,
        details: { step: name, reason },
      });
    }
    throw error;
  }
}
