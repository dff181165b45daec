import { z } from 'zod';
import { choice, flag, list, whole } from './fields.ts';

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

/** An address as it stands in From: a mailbox alone, or a name and a mailbox in angle brackets. */
const SENDER =
  /^(?:|[^\s\p{Cc}<>()[\]\\,;:"@]+@[^\s\p{Cc}<>@]+|[^\p{Cc}<>"@]+ <[^\s\p{Cc}<>()[\]\\,;:"@]+@[^\s\p{Cc}<>@]+>)$/u;

export const smtp = z.strictObject({
  host: z
    .string()
    .max(255)
    .regex(/^[A-Za-z0-9.:-]*$/, 'must be empty, a host name or an address')
    .meta({ description: 'The mail server messages go to; empty means no e-mail. Used when messenger is gateway.' }),
  port: whole(1, 65_535, 'The port of the mail server.'),
  security: choice(
    ['tls', 'starttls', 'none'],
    'How the way to the mail server is encrypted: tls from the first byte, starttls before anything is said; production refuses none.',
  ),
  user: z.string().max(255).meta({ description: 'The account at the mail server; empty where it asks for none.' }),
  password: z.string().max(512).meta({ description: 'The password of that account.', secret: true }),
  from: z
    .string()
    .max(320)
    .regex(SENDER, 'must be such as no-reply@id.example or 通办 <no-reply@id.example>')
    .meta({ description: 'The sender of every mail; needed with smtp.host.' }),
  timeoutMs: whole(500, 8000, 'How long the mail server may be silent.'),
  authorityFile: z
    .string()
    .max(1024)
    .meta({ description: 'The authority of the mail server in PEM; empty means the public ones.' }),
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
