import { z } from 'zod';
import { flag, secret, secretList, whole } from './fields.ts';

const HOUR_SECONDS = 3600;
const DAY_SECONDS = 24 * HOUR_SECONDS;
const YEAR_SECONDS = 366 * DAY_SECONDS;

export const session = z.strictObject({
  idleSeconds: whole(60, 30 * DAY_SECONDS, 'A sign-in that is not used for this long ends.'),
  absoluteSeconds: whole(60, 90 * DAY_SECONDS, 'A sign-in ends after this time even when it is used.'),
});

export const ttl = z.strictObject({
  interactionSeconds: whole(60, DAY_SECONDS, 'Time a person has to finish one sign-in.'),
  authorizationCodeSeconds: whole(
    10,
    600,
    'Life of an authorization code; it is counted by this server alone, so nothing is added for clocks that differ.',
  ),
  accessTokenSeconds: whole(30, DAY_SECONDS, 'Life of an access token.'),
  idTokenSeconds: whole(30, DAY_SECONDS, 'Life of an ID token.'),
  refreshTokenSeconds: whole(60, YEAR_SECONDS, 'Life of a refresh token.'),
  grantSeconds: whole(120, 2 * YEAR_SECONDS, 'Life of what a portal was granted; longer than a refresh token.'),
  clientCredentialsSeconds: whole(30, DAY_SECONDS, 'Life of a token a portal gets for itself.'),
  refreshRetrySeconds: whole(
    0,
    60,
    'A spent refresh token presented again this soon gets the same answer; 0 means never.',
  ),
});

export const password = z.strictObject({
  minLength: whole(8, 64, 'Characters a password has at least.'),
  maxLength: whole(64, 1024, 'Characters a password may have at most.'),
  kindsMin: whole(
    1,
    4,
    'Of capitals, small letters, digits and other characters, how many kinds a password must have; 1 demands nothing.',
  ),
  history: whole(
    0,
    24,
    'Of so many latest passwords of a person, the present one among them, a new one must be none; 0 compares with the present one alone, where it is typed.',
  ),
  ageDays: whole(
    0,
    3650,
    'A password older than this is changed at the next sign-in that uses it; sessions and refresh tokens that rest on it end. 0 lets passwords grow old.',
  ),
  noticeDays: whole(0, 90, 'So many days before a password is too old its person is told, at night; 0 tells nobody.'),
  breachedFile: z.string().trim().max(1024).meta({
    description:
      'A file of breached passwords, beside the list that is shipped: one a line, as it is or as SHA-1 with or without :count, plain or gzip; read again when it is replaced. Empty for none.',
  }),
  memoryKib: whole(7168, 1_048_576, 'Memory of one Argon2id hash (RFC 9106).'),
  iterations: whole(1, 10, 'Passes of one Argon2id hash.'),
  parallelism: whole(1, 4, 'Lanes of one Argon2id hash.'),
  hashesAtOnce: whole(0, 64, 'Hashes computed at the same time; 0 means processor cores less one, at least one.'),
  queueMax: whole(1, 10_000, 'Sign-ins that wait for a hash at most; more are answered with 503.'),
  queueDeadlineMs: whole(100, 60_000, 'A sign-in that waits longer for its hash is answered with 503.'),
});

export const limits = z.strictObject({
  failuresPerAccount: whole(
    1,
    100,
    'Failed sign-ins on one account within the window before it is closed for the window.',
  ),
  failureWindowSeconds: whole(60, DAY_SECONDS, 'The window of failed sign-ins on one account.'),
  failuresPerAddress: whole(1, 1_000_000, 'Failed sign-ins from one address within its window before it must wait.'),
  failuresPerNetwork: whole(
    1,
    1_000_000,
    'Failed sign-ins from one network (IPv4 /24, IPv6 /48) within the same window before it must wait.',
  ),
  addressWindowSeconds: whole(10, DAY_SECONDS, 'The window of failed sign-ins from one address.'),
  portalFailuresPerAddress: whole(
    1,
    1_000_000,
    'Wrong secrets of one portal from one address within its window before it must wait; ten times as many over all portals.',
  ),
  knownDeviceFailures: whole(0, 100, 'Attempts a known device keeps on an account that strangers have closed.'),
  registrationsPerAddress: whole(1, 1_000_000, 'Registrations from one address within its window before it must wait.'),
});

export const registration = z.strictObject({
  enabled: flag('Lets people open an account themselves, vouched for by the population register.'),
  draftSeconds: whole(300, DAY_SECONDS, 'A registration that is not finished by then is forgotten.'),
});

export const secrets = z.strictObject({
  encryptionKey: secret('The master key: seals the keys of everything at rest. Must be configured in production.'),
  otherEncryptionKeys: secretList(
    4,
    'Further master keys: the next one before it is put in use by tongban keys rotate master, the last one until it is retired.',
  ),
  indexKey: secret('Keys the index by which an ID number is found.'),
  pepper: secret('Mixed into every password hash; kept apart from the database.'),
  pairwiseSalt: secret('Makes the subject identifiers of each sector. Changing it makes every person a stranger.'),
  cookieKeys: secretList(
    5,
    'Sign cookies. The first signs, all verify: put a new one in front and drop the last later.',
  ),
});
