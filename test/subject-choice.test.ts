import test from 'ava';
import type { ActingSubject } from '../src/legal-persons/acting.ts';
import { choicesAt, choose, isAccepted, SELF, type Wishes } from '../src/legal-persons/choice.ts';
import { cappedLevel } from '../src/oidc/acr-levels.ts';
import { BRIDGES, mandateOf, TEA } from './support/acting.ts';

const company = (ref: string, { uscc, name, legalPersonId }: typeof TEA | typeof BRIDGES): ActingSubject => ({
  kind: 'legal',
  ref,
  role: 'agent',
  uscc,
  name,
  legalPersonId,
  category: uscc.slice(0, 2),
  mandate: mandateOf(`mandate of ${ref}`),
});
const tea = company('tea', TEA);
const teaAgain = company('tea-again', TEA);
const bridges = company('bridges', BRIDGES);
const child: ActingSubject = { kind: 'natural', ref: 'child', role: 'guardian', personId: 'psn_child', name: '王小小' };

const ALL = ['natural', 'legal', 'represented'];

type Expected = string | 'open' | 'nobody';

const TABLE: readonly (readonly [string, readonly string[], readonly ActingSubject[], Wishes, Expected])[] = [
  ['a person without anybody, at a portal for both', ALL, [], {}, 'self only'],
  ['a person with companies, at a portal for people', ['natural'], [tea, bridges], {}, 'self only'],
  ['one company at a portal for companies', ['legal'], [tea], {}, 'tea only'],
  ['one company and a child at a portal for companies', ['legal'], [tea, child], {}, 'tea only'],
  ['a child at a portal for the represented', ['represented'], [tea, child], {}, 'child only'],
  ['nobody at a portal for companies', ['legal'], [], {}, 'nobody'],
  ['a child at a portal for companies', ['legal'], [child], { picked: 'child' }, 'nobody'],
  ['one company at a portal for both', ['natural', 'legal'], [tea], {}, 'open'],
  ['two companies at a portal for companies', ['legal'], [tea, bridges], {}, 'open'],
  ['a pick', ALL, [tea, bridges], { picked: 'bridges' }, 'bridges page'],
  ['a pick of oneself', ALL, [tea], { picked: SELF }, 'self page'],
  ['a pick of oneself where nobody is taken so', ['legal'], [tea, bridges], { picked: SELF }, 'open'],
  ['a pick that ended, with one answer left', ALL, [], { picked: 'tea' }, 'open'],
  ['a pick before a request', ALL, [tea, bridges], { picked: 'tea', requested: BRIDGES.uscc }, 'tea page'],
  ['a request for a company', ALL, [tea, bridges], { requested: BRIDGES.uscc }, 'bridges request'],
  ['a request for oneself', ALL, [tea], { requested: SELF }, 'self request'],
  ['a request for a company of others', ALL, [tea], { requested: BRIDGES.uscc }, 'open'],
  ['a request for a company by somebody without any', ALL, [], { requested: BRIDGES.uscc }, 'open'],
  ['a request before the last choice', ALL, [tea], { requested: SELF, kept: 'tea' }, 'self request'],
  ['a request for a company twice in the list', ALL, [tea, teaAgain], { requested: TEA.uscc }, 'open'],
  ['the same, chosen before', ALL, [tea, teaAgain], { requested: TEA.uscc, kept: 'tea-again' }, 'tea-again request'],
  ['the last choice', ALL, [tea, bridges], { kept: 'bridges' }, 'bridges session'],
  ['a last choice that ended', ALL, [tea], { kept: 'bridges' }, 'open'],
  ['a last choice the portal takes no more', ['legal'], [tea, bridges], { kept: SELF }, 'open'],
];

for (const [situation, accepted, subjects, wishes, expected] of TABLE) {
  test(`F3 for whom: ${situation}`, (t) => {
    const choice = choose(choicesAt(accepted, subjects), wishes);
    t.is(choice.state === 'chosen' ? `${choice.answer.actingAs} ${choice.origin}` : choice.state, expected);
  });
}

test('F3 whatever is wished for, an answer is one the portal accepts and the person has', (t) => {
  const subjects = [tea, bridges, child];
  const values = [undefined, SELF, 'tea', 'bridges', 'child', 'nobody', TEA.uscc, '__proto__'];
  for (const accepted of [['natural'], ['legal'], ['represented'], ['natural', 'legal'], ALL]) {
    for (const picked of values)
      for (const requested of values)
        for (const kept of values) {
          const choice = choose(choicesAt(accepted, subjects), { picked, requested, kept });
          if (choice.state !== 'chosen') continue;
          t.true(isAccepted(accepted, choice.answer.subject));
          t.true(choice.answer.subject === undefined || subjects.includes(choice.answer.subject));
          t.is(choice.answer.subject?.ref ?? SELF, choice.answer.actingAs);
        }
  }
});

test('C5 a mandate with a ceiling lets no higher level be stated, and none makes a lower one higher', (t) => {
  const [two, three] = ['urn:tongban:acr:2', 'urn:tongban:acr:3'];
  t.is(cappedLevel(3, two), 2);
  t.is(cappedLevel(2, two), 2);
  t.is(cappedLevel(1, two), 1);
  t.is(cappedLevel(3, undefined), 3);
  t.is(cappedLevel(4, three), 3);
  t.is(cappedLevel(2, 'x'), 2);
});
