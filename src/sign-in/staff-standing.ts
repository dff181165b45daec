/** What is known of somebody who comes to a portal for members of staff. */
export interface StaffStanding {
  /** Whether members of staff may work from this address and at this hour. */
  readonly office: 'open' | 'outside_network' | 'outside_hours';
  readonly isMember: boolean;
}

/** Two factors, one of them cryptographic, of every member of staff (GB/T 22239-2019, 8.1.4.1 d). */
export const STAFF_AAL = 3;

export type StaffRefusal = 'outside_network' | 'outside_hours' | 'not_staff';

/**
 * Why somebody does not get in, whatever they prove; nobody is told before the place and the hour are right. Whoever is there and wants to
 * become somebody else is nobody yet. Pure.
 */
export function barredFrom({ office, isMember }: StaffStanding, isSomebody: boolean): StaffRefusal | undefined {
  if (office !== 'open') return office;
  return isSomebody && !isMember ? 'not_staff' : undefined;
}
