import type { factorsZh, factorTrailZh } from './factors-zh-CN.ts';

/** What the trail says of factors, in English. */
export const factorTrailEn: typeof factorTrailZh = {
  'factor-bound': () => 'A way to prove yourself was added',
  'factor-renamed': () => 'A way to prove yourself got another name',
  'factor-removed': () => 'A way to prove yourself was removed',
  'factor-always': () => 'A second factor is asked for at each sign-in from now on',
  'factor-sometimes': () => 'A second factor is no longer asked for at each sign-in',
  'factor-cloned': () => 'A passkey may have been copied; a sign-in with it was refused',
  'scan-approved': () => 'You scanned a code and let another screen sign in',
  'scan-refused': () => 'A sign-in by scanning was refused',
  'device-trusted': () => 'You chose to trust a device',
  'device-distrusted': () => 'A device is trusted no more',
};

/** The texts about factors in English. */
export const factorsEn: typeof factorsZh = {
  kinds: {
    totp: 'Authenticator app',
    otp_token: 'Hardware token',
    passkey: 'Passkey',
    sms_code: 'Code by text message',
    email_code: 'Code by e-mail',
    recovery_code: 'Recovery code',
    certificate: 'Certificate',
  },
};
