import type { EventType } from '../ledger/events.ts';
import { spellingOf } from '../proofing/spelling.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { Transaction } from '../storage/database.ts';
import { shareLock } from '../storage/row-locks.ts';
import type { Invitee } from './agents.ts';
import { actorOf, type By } from './by.ts';
import { CLAIM_IAL_MIN } from './claims.ts';
import type { MandateParts } from './mandate-parts.ts';
import { inviteeContext, type Mandate, type MandateRow, mandateDetails, mandateOf, stateOf } from './mandate-record.ts';
import type { MandateSides } from './mandate-sides.ts';
import { type MandateAct, type MandateSide, type TransitionRefusal, transition } from './mandate-states.ts';
import { changeMandate, childrenOf, findMandate, type MandateChange } from './mandate-store.ts';
import type { LegalNotice } from './notices.ts';
import { personName } from './person-names.ts';

/**
 * `unknown`: there is no such mandate, or it is not this person's to know. `level_too_low`, `name_mismatch`: who would accept is not
 * proven well enough, or is called otherwise than the invitation says. `self`: who granted cannot accept. `not_now`: company, person
 * or parent does not hold at present.
 */
export type ChangeRefusal =
  | TransitionRefusal
  | 'unknown'
  | 'level_too_low'
  | 'name_mismatch'
  | 'self'
  | 'not_now'
  | 'dates'
  | 'too_long';

export type ChangeOutcome =
  | { readonly ok: true; readonly mandate: Mandate }
  | { readonly ok: false; readonly reason: ChangeRefusal };

export interface MandateChanges {
  accept(id: string, by: By): Promise<ChangeOutcome>;
  decline(id: string, by: By): Promise<ChangeOutcome>;
  /** Both sides and staff; what was granted under it ends with it. Resolves after the protocol was told. */
  revoke(id: string, by: By, reason?: string): Promise<ChangeOutcome>;
  suspend(id: string, by: By, reason?: string): Promise<ChangeOutcome>;
  resume(id: string, by: By, reason?: string): Promise<ChangeOutcome>;
  /** A later end for the same terms; the agent need not accept again. */
  renew(id: string, by: By, validUntil: number): Promise<ChangeOutcome>;
  /** The same for one that has reached its end: called by the upkeep. */
  expire(id: string): Promise<ChangeOutcome>;
}

interface Wish {
  readonly act: MandateAct;
  readonly by: By;
  readonly reason?: string | undefined;
  readonly validUntil?: number;
}

/** What happened in the transaction, for what follows the commit. */
interface Changed {
  readonly row: MandateRow;
  readonly ended: readonly MandateRow[];
}

const refuse = (reason: ChangeRefusal) => ({ ok: false, reason }) as const;
type Refused = ReturnType<typeof refuse>;

/** How often a status may change under our hands before we give up: it has only a few to go through. */
const ATTEMPTS_MAX = 4;
const DAY_SECONDS = 86_400;

const TOLD: Readonly<
  Record<MandateAct, { readonly type: EventType; readonly notice: LegalNotice; readonly ends: boolean }>
> = {
  accept: { type: 'mandate.accepted', notice: 'mandate_accepted', ends: false },
  decline: { type: 'mandate.declined', notice: 'mandate_declined', ends: false },
  suspend: { type: 'mandate.suspended', notice: 'mandate_suspended', ends: true },
  resume: { type: 'mandate.resumed', notice: 'mandate_resumed', ends: false },
  revoke: { type: 'mandate.revoked', notice: 'mandate_revoked', ends: true },
  expire: { type: 'mandate.expired', notice: 'mandate_expired', ends: true },
  renew: { type: 'mandate.renewed', notice: 'mandate_renewed', ends: false },
};

export function createMandateChanges(parts: MandateParts, sides: MandateSides): MandateChanges {
  const { database, ledger, ends } = parts;
  const accepting = createAccepting(parts);

  const attempt = async (tx: Transaction, id: string, wish: Wish): Promise<Changed | Refused | 'again'> => {
    const row = await findMandate(tx, id);
    if (row === undefined) return refuse('unknown');
    // The company comes first in the order of locks, here as everywhere.
    if (row.legal_person_id !== null) await parts.companies.share(tx, row.legal_person_id);
    const standing = await sides.of(tx, row, wish.by);
    if (standing.length === 0) return refuse('unknown');
    const { side, outcome } = bestOf(row, wish.act, standing);
    if (!outcome.ok) return refuse(outcome.reason);
    const hindrance = await hindranceTo(tx, row, wish);
    if (hindrance !== undefined) return refuse(hindrance);
    const change: MandateChange = {
      from: row.status,
      to: outcome.status,
      cause: causeOf(wish, side),
      ...(wish.act === 'suspend' && side !== 'agent' ? { suspendedBy: side } : {}),
      ...(wish.act === 'accept' && wish.by !== 'house'
        ? { acceptance: { agentPersonId: acceptedBy(row, wish.by) } }
        : {}),
      ...(wish.validUntil === undefined ? {} : { validUntil: wish.validUntil }),
    };
    if (!(await changeMandate(tx, id, change))) return 'again';
    await record(tx, row, wish, side);
    return { row: (await findMandate(tx, id))!, ended: await cascade(tx, row, wish) };
  };

  const hindranceTo = async (tx: Transaction, row: MandateRow, wish: Wish): Promise<ChangeRefusal | undefined> => {
    if (wish.act === 'accept') return accepting(tx, row, wish.by);
    if (wish.act === 'resume') return holdsBehind(tx, row);
    if (wish.act === 'renew') return renewalFault(tx, row, wish.validUntil ?? 0);
    return undefined;
  };

  /** What a mandate stands on: a company that is active, and a parent that is. */
  const holdsBehind = async (tx: Transaction, row: MandateRow): Promise<ChangeRefusal | undefined> => {
    if (row.legal_person_id !== null && (await parts.companies.share(tx, row.legal_person_id))?.status !== 'active') {
      return 'not_now';
    }
    if (row.parent_id !== null && (await findMandate(tx, row.parent_id))?.status !== 'active') return 'not_now';
    return row.valid_until <= nowSeconds() ? 'ended' : undefined;
  };

  const renewalFault = async (tx: Transaction, row: MandateRow, until: number): Promise<ChangeRefusal | undefined> => {
    const { mandateLongestDays, relativeLongestDays } = parts.settings;
    if (row.kind === 'guardian' || row.valid_until <= nowSeconds()) return 'state';
    if (until <= row.valid_until) return 'dates';
    const days = row.kind === 'agent' ? mandateLongestDays : relativeLongestDays;
    if (until > nowSeconds() + days * DAY_SECONDS) return 'too_long';
    const parent = row.parent_id === null ? undefined : await findMandate(tx, row.parent_id);
    return parent !== undefined && until > parent.valid_until ? 'too_long' : undefined;
  };

  const record = async (tx: Transaction, row: MandateRow, wish: Wish, side: MandateSide): Promise<void> => {
    const { type, notice } = TOLD[wish.act];
    const details: Record<string, string | number> = mandateDetails(row);
    if (['mandate.suspended', 'mandate.resumed', 'mandate.revoked'].includes(type)) details.side = side;
    if (wish.act === 'revoke') details.cause = causeOf(wish, side) ?? '';
    if (wish.reason !== undefined) details.reason = wish.reason;
    if (wish.validUntil !== undefined) details.validUntil = wish.validUntil;
    const personId = wish.act === 'accept' && wish.by !== 'house' ? wish.by.personId : row.agent_person_id;
    await ledger.append(tx, {
      type,
      ...actorOf(wish.by),
      personId: personId ?? row.represented_id ?? undefined,
      details,
    });
    if (side !== 'agent') await sides.tell(tx, row, 'agent', notice);
    if (side !== 'principal' && wish.act !== 'resume') await sides.tell(tx, row, 'principal', notice);
  };

  /** With an end go those that were passed on from it; a suspension only hides them, for they are judged with their parent. */
  const cascade = async (tx: Transaction, row: MandateRow, { act }: Wish): Promise<readonly MandateRow[]> => {
    if (!TOLD[act].ends) return [];
    const children = await childrenOf(tx, database.engine, row.id);
    const ended: MandateRow[] = row.status === 'invited' ? [] : [row];
    for (const child of children) {
      if (child.status !== 'invited') ended.push(child);
      if (act === 'suspend') continue;
      const change = { from: child.status, to: 'revoked', cause: 'parent_ended' } as const;
      if (!(await changeMandate(tx, child.id, change))) continue;
      const details = { ...mandateDetails(child), side: 'house', cause: 'parent_ended' };
      const personId = child.agent_person_id ?? undefined;
      await ledger.append(tx, { type: 'mandate.revoked', actor: 'system', personId, details });
      await sides.tell(tx, child, 'agent', 'mandate_revoked');
    }
    return ended;
  };

  const change = async (id: string, wish: Wish): Promise<ChangeOutcome> => {
    for (let tries = 0; tries < ATTEMPTS_MAX; tries += 1) {
      const outcome = await database.write((tx) => attempt(tx, id, wish));
      if (outcome === 'again') continue;
      if ('ok' in outcome) return outcome;
      await ends.mandates(outcome.ended, TOLD[wish.act].notice);
      return { ok: true, mandate: mandateOf(outcome.row, nowSeconds()) };
    }
    return refuse('ended');
  };

  return {
    accept: (id, by) => change(id, { act: 'accept', by }),
    decline: (id, by) => change(id, { act: 'decline', by }),
    revoke: (id, by, reason) => change(id, { act: 'revoke', by, reason }),
    suspend: (id, by, reason) => change(id, { act: 'suspend', by, reason }),
    resume: (id, by, reason) => change(id, { act: 'resume', by, reason }),
    renew: (id, by, validUntil) => change(id, { act: 'renew', by, validUntil }),
    expire: (id) => change(id, { act: 'expire', by: 'house' }),
  };
}

/** Of the sides somebody stands on, the first that may do it. */
function bestOf(row: MandateRow, act: MandateAct, standing: readonly MandateSide[]) {
  const judged = standing.map((side) => ({ side, outcome: transition(stateOf(row), act, side) }));
  return judged.find(({ outcome }) => outcome.ok) ?? judged[0]!;
}

/** A company that is agent stays the agent, whoever of its people said yes. */
const acceptedBy = (row: MandateRow, by: Exclude<By, 'house'>): string | undefined =>
  row.agent_legal_person_id === null ? by.personId : undefined;

function causeOf({ act, by }: Wish, side: MandateSide): string | undefined {
  if (act === 'revoke' || act === 'suspend') return by === 'house' ? 'house' : `by_${side}`;
  return undefined;
}

/** What an acceptance needs beside the right side: somebody proven, of the name that was invited, who is not the grantor. */
function createAccepting({ database, sealer, companies }: MandateParts) {
  const PERSON = `SELECT status, ial FROM persons WHERE id = $1${shareLock(database.engine)}`;

  return async (tx: Transaction, row: MandateRow, by: By): Promise<ChangeRefusal | undefined> => {
    if (by === 'house' || by.personId === undefined) return 'forbidden';
    const { personId } = by;
    if (row.granted_by === personId) return 'self';
    const person = await tx.get<{ status: string; ial: number }>(PERSON, [personId]);
    if (person?.status !== 'active' || person.ial < CLAIM_IAL_MIN) return 'level_too_low';
    if (row.legal_person_id !== null && (await companies.find(tx, row.legal_person_id))?.status !== 'active')
      return 'not_now';
    if (row.parent_id !== null && (await findMandate(tx, row.parent_id))?.status !== 'active') return 'not_now';
    if (row.valid_until <= nowSeconds()) return 'ended';
    if (row.invitee_sealed === null) return undefined;
    const invited = JSON.parse(sealer.unseal(row.invitee_sealed, inviteeContext(row.id))) as Invitee;
    const name = await personName(tx, sealer, personId);
    return name !== undefined && spellingOf(name) === spellingOf(invited.name) ? undefined : 'name_mismatch';
  };
}
