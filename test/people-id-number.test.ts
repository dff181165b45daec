import test from 'ava';
import { parseIdNumber } from '../src/people/id-number.ts';

const numberOf = (input: string): string => {
  const outcome = parseIdNumber(input);
  return outcome.ok ? outcome.number : outcome.reason;
};

test('the printed examples and check digits of GB 11643 are read', (t) => {
  const facts = (input: string) => {
    const outcome = parseIdNumber(input);
    return outcome.ok && [outcome.birthDate, outcome.sex, outcome.region, outcome.upgraded];
  };
  t.deepEqual(facts('339900199001011014'), ['1990-01-01', 'male', '339900', false]);
  t.deepEqual(facts('33990019850701009X'), ['1985-07-01', 'male', '339900', false]);
  t.deepEqual(facts('449900200002290028'), ['2000-02-29', 'female', '449900', false]);
  t.deepEqual(facts('11010519491231002X'), ['1949-12-31', 'female', '110105', false]);
  t.deepEqual(facts('440524188001010014'), ['1880-01-01', 'male', '440524', false]);
  t.deepEqual(facts('110105491231002'), ['1949-12-31', 'female', '110105', true]);
});

test('what is no ID number is refused with its reason', (t) => {
  const cases: readonly (readonly [string, string])[] = [
    ['339900199001011015', 'check_character'],
    ['339900199002301013', 'date'],
    ['449900200102290025', 'date'],
    ['33990019900101101', 'length'],
    ['3399001990010110140', 'length'],
    ['', 'length'],
    ['   ', 'length'],
    ['1'.repeat(18), 'repeated_digit'],
    ['1'.repeat(15), 'repeated_digit'],
    ['33990019X001011014', 'characters'],
    ['X39900199001011014', 'characters'],
    ['11010549123100X', 'characters'],
    ['990105194912310020', 'province'],
    ['110105491231998', 'legacy_ambiguous'],
    ['339900184901011014', 'date'],
    ['339900299001011014', 'date'],
    ['3399001990-01011014', 'characters'],
    [`339900199001011014${' '.repeat(47)}`, 'length'],
  ];
  for (const [input, reason] of cases) t.is(numberOf(input), reason, JSON.stringify(input));
});

test('G1 every way to type one number gives one number', (t) => {
  const full = (text: string) =>
    text.replace(/[0-9A-Za-z]/g, (letter) => String.fromCharCode(letter.charCodeAt(0) + 0xfee0));
  const mathematical = (text: string) => text.replace(/\d/g, (digit) => String.fromCodePoint(0x1d7ce + Number(digit)));
  const number = '33990019850701009X';
  const spellings = [
    number.toLowerCase(),
    full(number),
    full(number.toLowerCase()),
    '33990019850701009Ⅹ',
    '33990019850701009ⅹ',
    mathematical(number),
    ` ${number}\t\r\n`,
    '339900 19850701 009X',
    '339900　19850701\u00a0009X',
    [...number].join('\u200b'),
    `\ufeff${number}\u200d\u2060`,
    `\u202e${number}\u202c`,
    `${number}\u00ad\ufe0f\u034f\u3164`,
  ];
  for (const spelling of spellings) t.is(numberOf(spelling), number, JSON.stringify(spelling));
});

test('G1 look-alike digits and letters are refused, not guessed', (t) => {
  const number = '33990019850701009X';
  const lookalikes = [
    number.replace('X', 'Х'), // Cyrillic
    number.replace('X', 'Χ'), // Greek
    number.replace('X', '×'),
    number.replace(/0/g, 'O'),
    number.replace(/1/g, 'l'),
    number.replace(/\d/g, (digit) => String.fromCharCode(0x0660 + Number(digit))), // Arabic-Indic
    number.replace(/\d/g, (digit) => String.fromCharCode(0x06f0 + Number(digit))), // Persian
    number.replace(/\d/g, (digit) => String.fromCharCode(0x0966 + Number(digit))), // Devanagari
    number.replace('3', '三'),
    number.replace('3', '3\u0301'),
    number.replace('3', '\ud800'),
    `${number}\0`,
  ];
  for (const lookalike of lookalikes) t.is(numberOf(lookalike), 'characters', JSON.stringify(lookalike));
});

test('G6 no input keeps the parser busy', (t) => {
  const started = performance.now();
  for (const text of ['1'.repeat(1e6), '\u200b'.repeat(1e6), 'ﷺ'.repeat(64), ' '.repeat(64)]) numberOf(text);
  t.true(performance.now() - started < 50);
});
