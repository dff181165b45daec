import { z } from 'zod';
import { whole } from './fields.ts';

export const person = z.strictObject({
  closureCoolingDays: whole(
    1,
    90,
    'Days in which a person who asked to have their account closed may still change their mind.',
  ),
  mergeUndoDays: whole(1, 90, 'Days in which the merging of two accounts can be undone.'),
  exportsDaily: whole(1, 100, 'How often in a day a person may fetch everything that is kept about them.'),
});
