import test from 'ava';
import { categoryOf, maskUscc, organisationCheckCharacter, parseUscc, type Uscc } from '../src/legal-persons/uscc.ts';
import { SAMPLE_COMPANIES } from '../src/proofing/sample-companies.ts';
import { seededRandom } from './support/seeded-random.ts';

/** The printed example of the standard, letters, remainders 0 and 1, and one code of each kind. */
const RIGHT: readonly (readonly [code: string, kind: string])[] = [
  ['91350100M000100Y43', 'company'],
  ['92339900MA9X00011Q', 'individual_business'],
  ['12330000470000013F', 'public_institution'],
  ['51330000500000015H', 'social_organisation'],
  ['113399000000000197', 'organ'],
  ['913399000000003770', 'company'],
  ['91339900000000019Y', 'company'],
];
const ALPHABET = '0123456789ABCDEFGHJKLMNPQRTUWXY';

const read = (input: string): string => {
  const outcome = parseUscc(input);
  return outcome.ok ? outcome.uscc : outcome.reason;
};

test('the examples of GB 32100 are read, with what they belong to', (t) => {
  for (const [code, kind] of RIGHT) {
    const outcome = parseUscc(code);
    t.is(outcome.ok && outcome.uscc, code as Uscc);
    t.is(outcome.ok && outcome.category?.kind, kind as never, code);
    t.is(categoryOf(code as Uscc), code.slice(0, 2));
  }
  for (const { uscc } of SAMPLE_COMPANIES) t.deepEqual(parseUscc(uscc).ok && warnings(uscc), [], uscc);
  t.is(maskUscc('91350100M000100Y43' as Uscc), '91**************43');
});

const warnings = (code: string): readonly string[] => {
  const outcome = parseUscc(code);
  return outcome.ok ? outcome.warnings : [outcome.reason];
};

test('the check characters of GB 11714 are those of its examples', (t) => {
  for (const [code, check] of [
    ['D2143569', 'X'],
    ['00000019', '0'],
    ['00000006', 'X'],
    ['MA9X0001', '1'],
  ] as const) {
    t.is(organisationCheckCharacter(code), check, code);
  }
});

test('what is no code is refused with its reason', (t) => {
  const cases: readonly (readonly [string, string])[] = [
    ['', 'length'],
    ['9135010', 'length'],
    ['91350100M000100Y433', 'length'],
    ['91350100M000100Y44', 'check_character'],
    ['9I350100M000100Y43', 'letter'],
    ['91350100MO00100Y43', 'letter'],
    ['91350100M000100Z43', 'letter'],
    ['S1350100M000100Y43', 'letter'],
    ['V1350100M000100Y43', 'letter'],
    ['9135O100M000100Y43', 'letter'],
    ['91A50100M000100Y43', 'characters'],
    ['91350100M000100Y4?', 'characters'],
    ['九1350100M000100Y43', 'characters'],
    ['91350100\u041c000100Y43', 'characters'], // Cyrillic
    [`91350100M000100Y43${' '.repeat(47)}`, 'length'],
  ];
  for (const [input, reason] of cases) t.is(read(input), reason, JSON.stringify(input));
});

test('an unusual organisation code or an unknown pair is warned of and accepted, or refused where that is set', (t) => {
  t.deepEqual(warnings('91350100M000100Y43'), []);
  // The codes of the standard's remainders carry organisation codes that were made up.
  const odd = '98339900MA9X01014';
  const completed = [...ALPHABET].map((check) => odd + check).find((code) => parseUscc(code).ok) ?? '';
  t.deepEqual(warnings(completed), ['unknown_category']);
  const wrong = '91339900MA9X01015';
  const code = [...ALPHABET].map((check) => wrong + check).find((candidate) => parseUscc(candidate).ok) ?? '';
  t.deepEqual(warnings(code), ['organisation_code']);
  t.like(parseUscc(code, { organisationCode: 'refuse' }), { ok: false, reason: 'organisation_code' });
});

test('every single-character error in a code is caught', (t) => {
  let tried = 0;
  for (const code of [...RIGHT.map(([right]) => right), ...SAMPLE_COMPANIES.map(({ uscc }) => uscc)]) {
    for (let place = 0; place < code.length; place += 1) {
      for (const character of '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ') {
        if (character === code[place]) continue;
        const outcome = parseUscc(code.slice(0, place) + character + code.slice(place + 1));
        if (outcome.ok) t.fail(`${code}: ${character} at ${place}`);
        tried += 1;
      }
    }
  }
  t.is(tried, (RIGHT.length + SAMPLE_COMPANIES.length) * 18 * 35);
});

test('G1 every way to type one code gives one code', (t) => {
  const random = seededRandom(7);
  const full = (text: string): string =>
    text.replace(/[0-9A-Za-z]/g, (letter) => String.fromCharCode(letter.charCodeAt(0) + 0xfee0));
  const between = ['', ' ', '-', '\u3000', '\u00a0', '－', '–', '\u200b', '\t'];
  for (const [code] of RIGHT) {
    for (let round = 0; round < 200; round += 1) {
      const typed = [...code]
        .map((character) => {
          const cased = random.below(2) === 0 ? character.toLowerCase() : character;
          const wide = random.below(3) === 0 ? full(cased) : cased;
          return random.below(5) === 0 ? wide + random.pick(between) : wide;
        })
        .join('');
      t.is(read(typed), code, JSON.stringify(typed));
    }
  }
});

test('G6 no input keeps the parser of codes busy', (t) => {
  const started = performance.now();
  for (const text of ['9'.repeat(1e6), '-'.repeat(64), 'ﷺ'.repeat(64), '\u200b'.repeat(1e6)]) read(text);
  t.true(performance.now() - started < 50);
});
