import { z } from 'zod';
import { whole } from './fields.ts';

export const account = z.strictObject({
  freshProofSeconds: whole(
    5,
    3600,
    'Sensitive changes in the account centre want a proof of identity that is not older than this.',
  ),
});
