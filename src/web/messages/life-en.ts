import type { lifeZh } from './life-zh-CN.ts';

/** The same in English. */
export const lifeEn: typeof lifeZh = {
  close: {
    title: 'Close my account',
    lead: 'The account and the personal data in it will be deleted and cannot be brought back.',
    now: 'What happens at once',
    nowItems: [
      'You are signed out on every device, this one included, and the portals you visited are told.',
      'The account is switched off and can be used for nothing.',
    ],
    later: (days) => `What happens after ${days} days`,
    laterItems: [
      'Your name, document numbers, phone, e-mail, password and everything else are deleted.',
      'Your consents, posts and mandates end.',
      'You may open a new account with the same document; it will have nothing to do with this one.',
      'Records the law requires us to keep are kept for that time; after it nobody can read what is personal in them.',
    ],
    keep: (days) =>
      `If you change your mind within these ${days} days, just sign in once and choose "Keep my account".`,
    agree: 'I understand, and I want to close my account',
    submit: 'Ask to close it',
    problems: {
      agree: 'Please tick the box to confirm.',
      represents:
        'You are the legal representative of the following companies. Please have another one registered before you close your account:',
    },
  },
  closeDone: {
    title: 'Your account will be closed',
    lead: (day) => `Your account is switched off and will be closed on ${day}.`,
    keep: 'Until then, sign in once if you want to keep it.',
    home: 'Go to the start page',
  },
  closing: {
    title: 'Your account is being closed',
    lead: (day) => `As you asked, it will be closed on ${day}. Until then it opens no portal.`,
    question: 'Do you want to keep it?',
    keep: 'Keep my account',
    keepHint: 'Then sign in again; everything is as before. Devices that were signed out stay so.',
    leave: 'No, leave',
    late: 'The day has come: the account is being deleted and cannot be kept any more. Please call the help line if you have questions.',
    kept: 'Your account is kept. Please sign in again.',
  },
  consent: {
    purpose: 'Purpose',
    basis: 'Basis',
    version: 'Version of the notice',
    bases: {
      consent: 'your consent',
      contract: 'necessary for a contract with you',
      statutory_duty: 'necessary for a duty the law lays down',
      emergency: 'necessary in an emergency',
      public_interest: 'reporting in the public interest',
      published_data: 'details you have published yourself',
    },
    history: 'History of your consents',
    historyLead: 'What you agreed to or took back, for what, and when. Nothing here is ever changed.',
    historyNone: 'There is nothing yet.',
    historyLink: 'See the history',
    acts: { given: 'Agreed', withdrawn: 'Taken back', moved: 'Came with a merged account' },
    what: 'Details',
    hash: 'Fingerprint of the notice (SM3)',
    back: 'Back to portals',
  },
};
