import type { possessionZh } from './possession-zh-CN.ts';

/** The same in English. */
export const possessionEn: typeof possessionZh = {
  other: 'Other ways',
  passkey: {
    name: 'Passkey',
    signIn: 'Sign in with a passkey',
    prove: 'Confirm with a passkey',
    stopped: 'Your device did not hand over a passkey. Please try again, or choose another way.',
    title: 'Add a passkey',
    lead: 'Sign in with your fingerprint, your face or the lock of your device instead of a password. The key stays in your own device; your fingerprint and face never leave it.',
    label: 'Give it a name',
    labelHint: 'So that you recognise it later, such as “my phone”.',
    create: 'Create on this device',
    needsScript: 'Adding a passkey needs a browser that supports it, with JavaScript switched on.',
    back: 'Back to ways to sign in',
    short: 'Sign in with your fingerprint, face or device lock: no password to type, and safe against false sites.',
    add: 'Add',
    problems: {
      refused: 'The passkey was not added. Please try again, or use another device.',
      expired: 'The page had been open for too long. Please try again.',
      taken: 'This passkey has been added before.',
      too_many: 'You have as many ways to sign in as an account can hold. Please remove one first.',
      model: 'This service does not accept this kind of device. Please use another.',
    },
    instead: 'Use a passkey instead of a password',
    insteadLead: 'Sign in with your fingerprint, face or device lock. You can add a password in your account later.',
    orPassword: 'Or choose a password',
  },
  scan: {
    start: 'Scan with your phone',
    title: 'Sign in with your phone',
    lead: 'Scan this code with a phone on which you are signed in.',
    codeLabel: 'Code for signing in',
    match: 'Check number',
    matchHint: 'Your phone will ask for these two digits. They stand on this screen alone; tell them to nobody.',
    waiting: 'Waiting for your phone. The code is valid for 90 seconds.',
    approved: 'Your phone has agreed; you are being signed in.',
    go: 'Continue',
    again: 'Show another code',
    back: 'Back to other ways to sign in',
    ends: {
      refused: 'This sign-in was not allowed. If it was you, show another code and try again.',
      expired: 'The code is no longer valid. Please show another.',
    },
    phone: {
      title: 'Let another screen sign in?',
      lead: 'A screen asks to sign in as you. Agree only if you are using it yourself right now.',
      portal: 'Going to',
      device: 'The screen',
      place: 'Place',
      elsewhere:
        'That screen and your phone are not on the same network. If it is not in front of you, refuse: somebody may want to pass for you.',
      number: 'The two digits on the screen',
      numberHint:
        'Look at the screen in front of you and enter the digits beside the code. If somebody told you the digits, refuse.',
      numberMissing: 'Please enter the two digits that the screen shows.',
      approve: 'Let it sign in',
      refuse: 'Refuse',
      account: 'Go to my account',
      ends: {
        approved: {
          title: 'You agreed',
          text: 'The screen is about to be signed in. You can end that at any time among the sessions of your account.',
        },
        refused: {
          title: 'You refused',
          text: 'The screen was not signed in. If it was not you, please change your password.',
        },
        mismatch: {
          title: 'The digits differ',
          text: 'These are not the digits on the screen, so the sign-in was refused. Make sure that the screen is in front of you, and show another code.',
        },
        over: {
          title: 'The code is no longer valid',
          text: 'This code was used or is too old. Show another on the screen and scan it again.',
        },
      },
    },
  },
  trusted: {
    title: 'Trusted devices',
    lead: 'On these devices a second factor is not asked for where a lower level is enough. Trust ends by itself after 30 days, and when you change your password or a factor.',
    none: 'There are no trusted devices.',
    since: 'Trusted since',
    until: 'Until',
    revoke: 'Trust no more',
    revokeOf: (device) => `Trust no more: ${device}`,
    offer: 'Do not ask for a second factor on this device for 30 days',
    offerHint: 'Only on a device of your own. For important matters you will still be asked.',
  },
  password: {
    setTitle: 'Set a password',
    setLead: 'Your account has no password yet. Once it has one, you can sign in with it as well.',
  },
};
