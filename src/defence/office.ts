import { Fault } from '../shared/fault.ts';
import { networkTable } from './networks.ts';

const BEIJING_OFFSET_MS = 8 * 3_600_000;
const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const FORM = /^([1-7])-([1-7]) (\d\d):(\d\d)-(\d\d):(\d\d)$/;

/** Days and hours such as `1-5 08:00-20:00` in Beijing time, or empty for always; networks, or none for anywhere. */
export interface OfficeSettings {
  readonly officeHours: string;
  readonly officeNetworks: readonly string[];
}

export interface Office {
  isOfficeTime(atMs: number): boolean;
  isOfficeNetwork(address: string): boolean;
}

/**
 * When and where administrators work, by the settings. Hours that end before they begin reach into the next day and belong to the
 * day they begin on. Throws `Fault('internal')` for settings the configuration would not have let in.
 */
export function officeOf({ officeHours, officeNetworks }: OfficeSettings): Office {
  const networks = networkTable(officeNetworks.map((network) => [network, true] as const));
  if ('wrong' in networks) throw new Fault('internal', `The office networks name ${networks.wrong}, which is none.`);
  return {
    isOfficeTime: hoursOf(officeHours),
    isOfficeNetwork: (address) => networks.size === 0 || networks.find(address) === true,
  };
}

function hoursOf(officeHours: string): (atMs: number) => boolean {
  const form = FORM.exec(officeHours);
  if (form === null) return () => true;
  const [firstDay, lastDay, fromHour, fromMinute, toHour, toMinute] = form.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const from = fromHour * 60 + fromMinute;
  const to = toHour * 60 + toMinute;
  const isWorkday = (day: number): boolean =>
    firstDay <= lastDay ? day >= firstDay && day <= lastDay : day >= firstDay || day <= lastDay;
  return (atMs) => {
    const local = atMs + BEIJING_OFFSET_MS;
    // The epoch began on a Thursday, day 4.
    const day = ((Math.floor(local / DAY_MS) + 3) % 7) + 1;
    const minute = Math.floor((local % DAY_MS) / MINUTE_MS);
    if (from < to) return isWorkday(day) && minute >= from && minute < to;
    const dayBefore = day === 1 ? 7 : day - 1;
    return (isWorkday(day) && minute >= from) || (isWorkday(dayBefore) && minute < to);
  };
}
