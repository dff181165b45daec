import test from 'ava';
import {
  hasEnded,
  type MandateAct,
  type MandateSide,
  type MandateStatus,
  transition,
} from '../src/legal-persons/mandate-states.ts';

const STATUSES: readonly MandateStatus[] = ['invited', 'active', 'suspended', 'revoked', 'expired', 'declined'];
const SIDES: readonly MandateSide[] = ['principal', 'agent', 'operator', 'house'];

/** act, from, who: what it becomes. What does not stand here is refused. */
const ALLOWED: readonly (readonly [MandateAct, MandateStatus, string, MandateStatus])[] = [
  ['accept', 'invited', 'agent', 'active'],
  ['decline', 'invited', 'agent', 'declined'],
  ['suspend', 'invited', 'principal operator house', 'suspended'],
  ['suspend', 'active', 'principal operator house', 'suspended'],
  ['resume', 'suspended', 'principal operator house', 'active'],
  ['revoke', 'invited', 'principal agent operator house', 'revoked'],
  ['revoke', 'active', 'principal agent operator house', 'revoked'],
  ['revoke', 'suspended', 'principal agent operator house', 'revoked'],
  ['expire', 'invited', 'house', 'expired'],
  ['expire', 'active', 'house', 'expired'],
  ['expire', 'suspended', 'house', 'expired'],
  ['renew', 'active', 'principal operator', 'active'],
];
const ACTS = [...new Set(ALLOWED.map(([act]) => act))];

test('the whole life of a mandate, as a table', (t) => {
  for (const act of ACTS) {
    for (const status of STATUSES) {
      for (const side of SIDES) {
        const rule = ALLOWED.find(([a, from, by]) => a === act && from === status && by.split(' ').includes(side));
        const outcome = transition({ status, suspendedBy: undefined, accepted: true }, act, side);
        t.is(outcome.ok ? outcome.status : undefined, rule?.[3], `${side} ${act} ${status}`);
        if (!outcome.ok) t.is(outcome.reason === 'ended', hasEnded(status));
      }
    }
  }
});

test('an invitation that was suspended comes back as an invitation, and what staff stopped only staff lets go', (t) => {
  const stopped = (suspendedBy: 'principal' | 'operator' | 'house', accepted: boolean) =>
    ({ status: 'suspended', suspendedBy, accepted }) as const;
  t.deepEqual(transition(stopped('principal', false), 'resume', 'principal'), { ok: true, status: 'invited' });
  t.deepEqual(transition(stopped('house', true), 'resume', 'principal'), { ok: true, status: 'active' });
  t.deepEqual(transition(stopped('operator', true), 'resume', 'principal'), { ok: false, reason: 'forbidden' });
  t.deepEqual(transition(stopped('operator', true), 'resume', 'operator'), { ok: true, status: 'active' });
});
