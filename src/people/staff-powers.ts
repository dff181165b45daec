import type { StaffRole } from './staff.ts';

/** What members of staff do, in words of the house. Closed: what is not named here nobody does. */
export const STAFF_ACTIONS = [
  'house.run',
  'portals.read',
  'portals.change',
  'people.read',
  'people.serve',
  'people.shut',
  'factors.remove',
  'claims.judge',
  'staff.read',
  'staff.change',
  'keys.read',
  'keys.change',
  'incidents.read',
  'incidents.handle',
  'ledger.verify',
  'ledger.read',
  'ledger.erase',
  'ledger.prune',
] as const;
export type StaffAction = (typeof STAFF_ACTIONS)[number];

/**
 * Who does what (F4; GB/T 22239-2019, 8.1.5.1 to 8.1.5.3). Those who run the house see neither people nor the ledger; those who decide
 * who may what read no ledger; those who read the ledger change nothing else; those who serve people steer nothing.
 */
const POWERS: Readonly<Record<StaffRole, readonly StaffAction[]>> = {
  system: ['house.run', 'portals.read', 'staff.read', 'keys.read', 'incidents.read', 'ledger.verify'],
  security: [
    'portals.read',
    'portals.change',
    'people.read',
    'people.shut',
    'factors.remove',
    'claims.judge',
    'staff.read',
    'staff.change',
    'keys.read',
    'keys.change',
    'incidents.read',
    'incidents.handle',
    'ledger.verify',
  ],
  audit: [
    'portals.read',
    'staff.read',
    'keys.read',
    'incidents.read',
    'ledger.verify',
    'ledger.read',
    'ledger.erase',
    'ledger.prune',
  ],
  counter: ['people.read', 'people.serve', 'claims.judge'],
};

/** Pure. */
export const mayDo = (role: StaffRole, action: StaffAction): boolean => POWERS[role].includes(action);
