import { z } from 'zod';
import { flag, list, whole } from './fields.ts';

const HOUR_SECONDS = 3600;
const DAY_SECONDS = 24 * HOUR_SECONDS;

const GATEWAY_URL = z
  .string()
  .max(512)
  .refine(
    (value) => value === '' || /^https?:$/.test(URL.parse(value)?.protocol ?? ''),
    'must be empty or a web address',
  )
  .meta({ description: 'Where the SMS gateway takes messages; needed when messenger is gateway.' });

export const sms = z.strictObject({
  url: GATEWAY_URL,
  keyId: z.string().max(128).meta({ description: 'The name under which the gateway knows our key.' }),
  key: z.string().max(512).meta({ description: 'Signs each request to the gateway by HMAC-SM3.', secret: true }),
  templates: list(
    z
      .string()
      .max(160)
      .regex(/^[a-z][a-z-]*=[\w.-]+$/, 'must be such as code-register=SMS_10001'),
    64,
    'Ids under which the gateway has approved our templates, each as template=ID; a template without one goes as plain words.',
  ),
});

export const messages = z.strictObject({
  perNumberHour: whole(1, 1000, 'Codes sent to one number or address in an hour at most.'),
  perNumberDay: whole(1, 10_000, 'Codes sent to one number or address in a day at most.'),
  perAccountDay: whole(1, 10_000, 'Codes sent for one account in a day at most, to whichever number.'),
  perAddressDay: whole(1, 10_000_000, 'Codes asked for from one network address in a day at most.'),
  perDay: whole(1, 100_000_000, 'Codes sent in a day at most: what an attack may cost.'),
  noticesPerNumberDay: whole(1, 10_000, 'Notices sent to one number or address in a day at most.'),
});

export const codes = z.strictObject({
  lifetimeSeconds: whole(60, 600, 'How long a code that was sent is valid.'),
  attemptsMax: whole(1, 10, 'Times a code may be entered wrongly before it is void.'),
  sendsMax: whole(1, 10, 'Codes sent for one step of one registration or recovery at most.'),
  resendSeconds: whole(1, 600, 'Pause before another code can be asked for.'),
});

export const recovery = z.strictObject({
  enabled: flag(
    'Lets people set a new password after proving who they are by register and phone, or by a recovery code.',
  ),
  waitSeconds: whole(
    0,
    30 * DAY_SECONDS,
    'Pause between the proof and the new password, in which the person is told everywhere and can stop it by signing in.',
  ),
  finishSeconds: whole(300, 7 * DAY_SECONDS, 'Time a person has to choose the new password once the pause is over.'),
  beginsPerNumber: whole(1, 100, 'Recoveries begun for one number within limits.failureWindowSeconds at most.'),
});
