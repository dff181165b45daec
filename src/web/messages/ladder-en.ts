import type { ladderZh } from './ladder-zh-CN.ts';

export const ladderEn: typeof ladderZh = {
  second: {
    title: 'One more step',
    because: {
      account: () => 'Your account asks for a second step at each sign-in.',
      risk: () => 'This sign-in is not like your usual ones. To protect your account, please take one more step.',
      portal: (portal) => `${portal} wants a stronger sign-in. Please take one more step.`,
      wish: (portal) => `${portal} suggests one more step, which opens more services. You can also go on without it.`,
    },
    ways: 'Other ways',
    labels: {
      totp: 'Six digits shown by your authenticator app',
      otp_token: 'Digits shown by your token',
      passkey: 'Passkey',
      sms_code: 'Code from the text message',
      email_code: 'Code from the e-mail',
      recovery_code: 'Recovery code',
      certificate: 'Certificate',
    },
    hints: {
      totp: 'Open the authenticator app on your phone and type the digits it shows for this service now.',
      otp_token: 'Type the digits on the display of the token now.',
      passkey: 'Follow what your device asks for.',
      sms_code: 'Type the six digits of the text message.',
      email_code: 'Type the six digits of the e-mail.',
      recovery_code: 'Type one of the codes you wrote down or printed. Each works once.',
      certificate: 'Plug in the UKey and type its PIN when asked.',
    },
    next: { label: 'Digits the token shows next', hint: 'Please wait until they change, and type the new ones.' },
    submit: 'Verify',
    sendTo: (address) => `The code goes to ${address}.`,
    send: 'Send the code',
    again: 'Nothing arrived? Send another',
    voice: 'Have it read out by a call',
    unavailable: 'This way cannot be used now. Please choose another.',
    problems: {
      refused:
        'That did not count. It may be mistyped, too old, used before, or one try too many. Please check and try again, or choose another way.',
      astray:
        'The clock of the token seems to have gone astray. Please wait until the digits change and type the new ones, so that it is found again. You can also choose another way.',
      too_many: 'Too many codes were sent. Please try again later, or choose another way.',
      unavailable: 'This way cannot be used now. Please choose another.',
    },
    lost: 'Phone or token not at hand? Use a recovery code, or call the help line.',
    without: 'Go on without it',
    other: 'Use another account',
    cancel: 'Do not sign in, go back',
    none: {
      title: 'You have no second step yet',
      lead: (portal) => `${portal} wants a second step, and your account has none of these:`,
      hint: 'Please add one under "My account", then return to the portal and sign in again. A service counter can help you as well.',
      bind: 'Go to "My account" to add one',
    },
  },
  renew: {
    title: 'Please choose a new password',
    lead: (days) =>
      `Your password is older than ${days} days, and this service asks for a new one now. It also has to differ from the ones you had before.`,
    submit: 'Save and go on',
    busy: 'Many people are here right now, and your new password was not saved. Please press the button again in a moment.',
  },
  prove: {
    title: 'Your identity must be verified further',
    lead: (portal) => `${portal} wants a higher level of identity verification than your account has.`,
    held: 'Your level',
    wanted: 'Level wanted',
    levels: [
      'Not verified',
      'Number well formed',
      'Name and number match',
      'Verified in person online',
      'Seen at a counter, or by certificate',
    ],
    how: {
      2: 'Have your document compared with the register, under "Documents" in "My account".',
      3: 'Use the national network identity, or bring your document to a service counter.',
      4: 'Please bring your document to a service counter.',
    },
    documents: 'Go to the documents in "My account"',
    other: 'Use another account',
    back: 'Return to the portal',
  },
};
