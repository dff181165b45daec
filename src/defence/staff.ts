import { type OfficeSettings, officeOf } from './office.ts';

/** The settings of `staff`: administrators, and whoever works at a counter or decides on claims. */
export interface StaffSettings extends OfficeSettings {
  readonly idleSeconds: number;
  readonly absoluteSeconds: number;
}

/** Whether members of staff may work from here and now. */
export type OfficeVerdict = 'open' | 'outside_network' | 'outside_hours';

/** Pure. Place before time: whoever comes from elsewhere is not told the hours. */
export function createOfficeRule(settings: OfficeSettings): (address: string, atMs: number) => OfficeVerdict {
  const { isOfficeTime, isOfficeNetwork } = officeOf(settings);
  return (address, atMs) => {
    if (!isOfficeNetwork(address)) return 'outside_network';
    return isOfficeTime(atMs) ? 'open' : 'outside_hours';
  };
}
