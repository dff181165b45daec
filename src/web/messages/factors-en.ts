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
  list: {
    title: 'Second factors',
    lead: 'Something you hold that proves it is you, beside the password. Whoever learns your password still cannot get in.',
    none: 'You have none yet. We advise you to add at least one.',
    boundAt: 'Added',
    lastUsedAt: 'Last used',
    never: 'Not used yet',
    manage: 'Manage',
    manageOf: (name) => `Manage: ${name}`,
    add: { totp: 'Add an authenticator app', otp_token: 'Add a hardware token', certificate: 'Add a certificate' },
    addText: {
      totp: 'An app on your phone shows 6 digits that you enter when you sign in. It works without a signal.',
      otp_token: 'If you were given a token that shows digits, add it here.',
      certificate: 'Sign in, or prove yourself a second time, with the SM2 certificate in a UKey.',
    },
    always: 'A second factor at each sign-in',
    alwaysText: {
      yes: 'On: beside the password you are asked for one of the above each time you sign in.',
      no: 'Off: you are asked only where a portal wants it.',
    },
    alwaysSubmit: { yes: 'Switch off', no: 'Switch on' },
    alwaysOf: { yes: 'Switch off: a second factor at each sign-in', no: 'Switch on: a second factor at each sign-in' },
    codesAdvice:
      'We advise you to make recovery codes as well and keep them on paper: they help when phone or token are not at hand.',
    done: {
      factor: 'It was added. You can use it whenever you are asked.',
      'factor-renamed': 'The name was changed.',
      'factor-removed': 'It was removed and proves nothing any more.',
      'factor-always': 'On: you are asked for a second factor each time you sign in.',
      'factor-sometimes': 'Off: you are asked only where a portal wants it.',
    },
  },
  factor: {
    kind: 'Kind',
    label: 'Name',
    labelHint: 'To tell it from others, such as “My phone”.',
    rename: 'Save the name',
    removeTitle: 'Remove',
    removeText: 'It then proves nothing any more. If you lost the phone or token, remove it at once.',
    removeLast: 'It is the only one you have. After that your account is guarded by the password alone.',
    remove: 'Remove this factor',
    back: 'Back to sign-in methods',
    problems: {
      label_empty: 'Please enter a name.',
      only_key:
        'Your account has no password and this is the only way to sign in, so it cannot be removed. Please set a password first, or add another passkey.',
      needed:
        'You want to be asked for a second factor at each sign-in, so the last one cannot be removed. Please add another first, or switch that off.',
    },
  },
  authenticator: {
    title: 'Add an authenticator app',
    lead: 'Please follow these steps with the authenticator app on your phone.',
    steps: [
      'Open the app on your phone and choose to add an account or to scan.',
      'Scan the picture below, or type the secret.',
      'Enter the 6 digits that the app shows.',
    ],
    code: 'QR code to be scanned with the authenticator app',
    secret: 'Cannot scan? Type this secret into the app (time-based, 6 digits, 30 seconds)',
    caution: 'Please send the picture or the secret to nobody, and take no screenshot of it.',
    label: 'Name',
    labelHint: 'To tell it from others, such as “My phone”.',
    labelUsual: 'My phone',
    entered: 'The 6 digits that the app shows',
    enteredHint: 'They change every 30 seconds.',
    submit: 'Add the app',
    problems: {
      mismatch: 'The digits are not right. Please check the time of your phone and enter what the app shows now.',
      expired: 'That took too long, and the secret was changed. Please delete the new entry in the app and scan again.',
      too_many: 'You have too many factors. Please remove those you do not use.',
    },
  },
  token: {
    title: 'Add a hardware token',
    lead: 'Please have the token you were given at hand.',
    serial: 'Serial number of the token',
    serialHint: 'Letters and digits on its back.',
    first: 'The digits it shows now',
    firstHint: 'If it shows none, press its button.',
    second: 'The digits it shows next',
    secondHint: 'Please wait until they change, and enter the new ones.',
    submit: 'Add the token',
    problems: {
      refused:
        'The token was not added. Please check the serial number and enter two codes in a row. If it still does not work, ask the counter that gave you the token.',
      exhausted: 'Too many attempts. To protect your account, please try again later.',
      too_many: 'You have too many factors. Please remove those you do not use.',
    },
  },
};
