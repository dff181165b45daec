import { z } from 'zod';
import { whole } from './fields.ts';
import { officeHours, officeNetworks } from './sections-watch.ts';

const HOUR_SECONDS = 3600;

/** Administrators and everybody who works at this server for others. The bounds are those of MLPS level 3: they can be made narrower and not wider. */
export const staff = z.strictObject({
  officeHours: officeHours(
    'When members of staff may sign in, such as 1-5 08:00-20:00 in Beijing time; empty means always.',
  ),
  officeNetworks: officeNetworks('From where members of staff may sign in; empty means anywhere.'),
  idleSeconds: whole(60, 900, 'A session of a member of staff that is not used for this long ends.'),
  absoluteSeconds: whole(
    300,
    8 * HOUR_SECONDS,
    'A session of a member of staff ends after this time even when it is used.',
  ),
  passwordAgeDays: whole(
    1,
    90,
    'At portals for staff a password older than this is changed before anything else; password.ageDays may be narrower.',
  ),
  passwordHistory: whole(
    5,
    24,
    'Of so many latest passwords of a member of staff, the present one among them, a new one must be none; password.history may be more.',
  ),
  passwordNoticeDays: whole(0, 90, 'So many days before that a member of staff is told, at night; 0 tells nobody.'),
});
