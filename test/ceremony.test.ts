import test from 'ava';
import { type Ceremony, nextStep, type Step } from '../src/sign-in/ceremony.ts';

const BASE: Ceremony = {
  prompt: 'login',
  requestedPrompts: [],
  reasons: ['no_session'],
  startedBy: undefined,
  signedIn: undefined,
  wantsSwitch: false,
};

const TABLE: readonly (readonly [situation: string, ceremony: Partial<Ceremony>, step: Step])[] = [
  ['nobody is signed in', {}, 'identify'],
  ['nobody is signed in and an account was to be chosen', { prompt: 'select_account' }, 'identify'],
  ['another window signed in meanwhile', { signedIn: 'li' }, 'continue_as'],
  ['another window signed in, but they are somebody else', { signedIn: 'li', wantsSwitch: true }, 'identify'],
  [
    'the portal wants a new proof',
    { signedIn: 'li', requestedPrompts: ['login'], reasons: ['login_prompt'] },
    'identify',
  ],
  [
    'the portal wants a new proof after another window signed in',
    { signedIn: 'li', requestedPrompts: ['login'] },
    'identify',
  ],
  ['the sign-in is too old', { signedIn: 'li', startedBy: 'li', reasons: ['max_age'] }, 'identify'],
  ['the portal expects another person', { signedIn: 'li', startedBy: 'li', reasons: ['id_token_hint'] }, 'identify'],
  ['the portal expects a certain sub', { signedIn: 'li', reasons: ['claims_id_token_sub_value'] }, 'identify'],
  ['two reasons, one of which wants a proof', { signedIn: 'li', reasons: ['no_session', 'max_age'] }, 'identify'],
  ['an account is to be chosen', { prompt: 'select_account', signedIn: 'li', startedBy: 'li' }, 'continue_as'],
  ['an account is chosen anew', { prompt: 'select_account', signedIn: 'li', wantsSwitch: true }, 'identify'],
  ['consent is missing', { prompt: 'consent', signedIn: 'li', startedBy: 'li' }, 'consent'],
  [
    'consent is not skipped by wanting to be another',
    { prompt: 'consent', signedIn: 'li', startedBy: 'li', wantsSwitch: true },
    'consent',
  ],
  ['consent after a sign-out', { prompt: 'consent', startedBy: 'li' }, { refuse: 'session_changed' }],
  [
    'consent after another signed in',
    { prompt: 'consent', signedIn: 'wang', startedBy: 'li' },
    { refuse: 'session_changed' },
  ],
  ['consent of nobody', { prompt: 'consent' }, { refuse: 'session_changed' }],
  ['consent that nobody was asked for', { prompt: 'consent', signedIn: 'li' }, { refuse: 'session_changed' }],
  ['it is open for whom one acts', { prompt: 'choose_subject', signedIn: 'li', startedBy: 'li' }, 'choose_subject'],
  [
    'it is open for whom one acts, and wanting to be another does not skip it',
    { prompt: 'choose_subject', signedIn: 'li', startedBy: 'li', wantsSwitch: true },
    'choose_subject',
  ],
  [
    'it is open for whom one acts and another signed in',
    { prompt: 'choose_subject', signedIn: 'wang', startedBy: 'li' },
    { refuse: 'session_changed' },
  ],
  ['nobody is left to act', { prompt: 'choose_subject', startedBy: 'li' }, { refuse: 'session_changed' }],
  ['a prompt of the library that we do not know', { prompt: 'magic', signedIn: 'li' }, { refuse: 'unknown_prompt' }],
];

for (const [situation, ceremony, step] of TABLE) {
  test(`D13 the next step when ${situation}`, (t) => {
    t.deepEqual(nextStep({ ...BASE, ...ceremony }), step);
  });
}

test('D13 no situation gives a step that shows a person’s data to nobody', (t) => {
  for (const prompt of ['login', 'select_account', 'choose_subject', 'consent', '', '__proto__']) {
    for (const wantsSwitch of [true, false]) {
      const step = nextStep({ ...BASE, prompt, wantsSwitch, startedBy: 'li' });
      t.true(step === 'identify' || typeof step === 'object', prompt);
    }
  }
});
