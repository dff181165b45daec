/** `invited` waits for the agent; `revoked`, `expired` and `declined` are ends. */
export type MandateStatus = 'invited' | 'active' | 'suspended' | 'revoked' | 'expired' | 'declined';

/** What can be done to a mandate. */
export type MandateAct = 'accept' | 'decline' | 'suspend' | 'resume' | 'revoke' | 'expire' | 'renew';

/**
 * Who does it. `principal`: who is acted for, or an administrator of it; `agent`: who acts; `operator`: staff, at the counter or on
 * the hotline; `house`: the server itself, for a company that was suspended or a date that has come.
 */
export type MandateSide = 'principal' | 'agent' | 'operator' | 'house';

export interface MandateState {
  readonly status: MandateStatus;
  /** Who suspended it, while it is. */
  readonly suspendedBy: Exclude<MandateSide, 'agent'> | undefined;
  /** Whether the agent has ever said yes: what is resumed must not come to life without it. */
  readonly accepted: boolean;
}

/** `forbidden`: this side may not; `state`: nobody may in this state; `ended`: it has ended before. */
export type TransitionRefusal = 'forbidden' | 'state' | 'ended';

export type Transition =
  | { readonly ok: true; readonly status: MandateStatus }
  | { readonly ok: false; readonly reason: TransitionRefusal };

interface Rule {
  readonly from: readonly MandateStatus[];
  readonly by: readonly MandateSide[];
}

/**
 * Both sides, and staff, can end a mandate at any time. An operator's suspension is lifted by an operator alone; one of the house,
 * after a change of representative, by the principal.
 */
const RULES: Readonly<Record<MandateAct, Rule>> = {
  accept: { from: ['invited'], by: ['agent'] },
  decline: { from: ['invited'], by: ['agent'] },
  suspend: { from: ['invited', 'active'], by: ['principal', 'operator', 'house'] },
  resume: { from: ['suspended'], by: ['principal', 'operator', 'house'] },
  revoke: { from: ['invited', 'active', 'suspended'], by: ['principal', 'agent', 'operator', 'house'] },
  expire: { from: ['invited', 'active', 'suspended'], by: ['house'] },
  renew: { from: ['active'], by: ['principal', 'operator'] },
};

const ENDS: readonly MandateStatus[] = ['revoked', 'expired', 'declined'];

export const hasEnded = (status: MandateStatus): boolean => ENDS.includes(status);

/** What becomes of a mandate. Pure: this function and the table of its cases are the whole life of a mandate. */
export function transition(state: MandateState, act: MandateAct, by: MandateSide): Transition {
  const { from, by: sides } = RULES[act];
  if (hasEnded(state.status)) return { ok: false, reason: 'ended' };
  if (!sides.includes(by)) return { ok: false, reason: 'forbidden' };
  if (!from.includes(state.status)) return { ok: false, reason: 'state' };
  if (act === 'resume' && state.suspendedBy === 'operator' && by !== 'operator')
    return { ok: false, reason: 'forbidden' };
  return { ok: true, status: statusAfter(act, state) };
}

function statusAfter(act: MandateAct, { accepted }: MandateState): MandateStatus {
  switch (act) {
    case 'accept':
    case 'renew':
      return 'active';
    case 'decline':
      return 'declined';
    case 'suspend':
      return 'suspended';
    case 'resume':
      return accepted ? 'active' : 'invited';
    case 'revoke':
      return 'revoked';
    case 'expire':
      return 'expired';
  }
}
