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
  merge: {
    title: 'Merge accounts',
    lead: 'Do you have two accounts? Once you have proven that the other one is yours as well, you can make them one.',
    happens: 'What happens',
    happensItems: [
      'Documents, phone, e-mail, user name, consents, posts and mandates go over to the account you keep.',
      'Where both have something, that of the account you keep counts.',
      'The other account is signed out everywhere at once and cannot be used any more.',
      'Portals you visited with the other account alone will take you for somebody new.',
    ],
    undo: (days) => `Within ${days} days you can undo it under "My data".`,
    identifier: 'Sign-in name of the other account',
    identifierHint: 'Document number, phone, e-mail or user name',
    password: 'Password of the other account',
    submit: 'Prove the other account',
    problems: {
      refused: 'The sign-in name or the password is wrong, or that account cannot be used now.',
      identifier_form: 'Please check the form of the sign-in name.',
      too_many: 'Too many attempts. Please try again later.',
      busy: 'Many people are signing in. Please try again in a moment.',
      proof_old: 'That proof is too old. Please prove the other account again.',
      same_account: 'This is the account you are using. Please name the other one.',
      changed: 'One of the two accounts has just changed. Nothing was merged.',
      other_person:
        'The two accounts have different names, birth dates or citizen ID numbers and cannot be merged. If both are yours, please come to a service counter.',
      same_company: 'Both accounts hold a post at the same company. Please give one of them up first.',
      too_many_documents: 'Together the two accounts hold too many documents. Please remove those you do not need.',
    },
    choose: 'Which account do you keep?',
    chooseLead: 'Both are proven. Choose which one stays; the other goes over into it.',
    accounts: { this: 'The account you are using', other: 'The account you have just proven' },
    chooseProblem: 'Please choose which account to keep.',
    confirm: 'Merge',
    done: 'The two accounts are one',
    doneLead: (day) => `From now on you have one account. Until ${day} you can undo this under "My data".`,
    doneSignIn: 'You kept the other account. Please sign in with it.',
    account: 'Go to my account',
    list: 'Merged accounts',
    mergedAt: 'Merged',
    undoUntil: 'Can be undone until',
    undoSubmit: 'Undo the merge',
    undoHint: 'Both accounts become what they were, and both must sign in again.',
    undoProblems: {
      late: 'It is too late to undo this.',
      changed: 'One of the accounts has changed, so this cannot be undone now.',
      document_gone:
        'A document that went over has changed since, so this cannot be undone. Please come to a service counter if you need to.',
      identifier_gone:
        'A phone, e-mail or user name that went over has changed since, so this cannot be undone. Please come to a service counter if you need to.',
      post_gone:
        'A post that went over has changed since, so this cannot be undone. Please come to a service counter if you need to.',
      mandate_gone:
        'A mandate that went over has changed since, so this cannot be undone. Please come to a service counter if you need to.',
    },
    undone: 'The merge was undone',
    undoneLead: 'Both accounts are as they were before. Please sign in again.',
  },
};
