import test from 'ava';
import { DOCUMENT_TYPES, type DocumentType } from '../src/people/documents/document.ts';
import { documentCode, parseDocument, recogniseDocument } from '../src/people/documents/parse.ts';
import { seededRandom } from './support/seeded-random.ts';

/** What a text reads as: `number`, or the reason it is refused for. */
const read = (type: string, number: string, issuer = 'CN'): string => {
  const outcome = parseDocument(type, issuer, number);
  return outcome.ok ? outcome.document.number : outcome.reason;
};

test('G1 every document of the standards is read in its normal form', (t) => {
  const cases: readonly (readonly [DocumentType, string, string, string?])[] = [
    ['resident_id_card', '339900199001011014', '339900199001011014'],
    ['resident_id_card', '33990019850701009x', '33990019850701009X'],
    ['resident_id_card', '33990019850701009Ⅹ', '33990019850701009X'],
    ['resident_id_card', '449900200002290028', '449900200002290028'],
    ['resident_id_card', '11010519491231002X', '11010519491231002X'],
    ['resident_id_card', '440524188001010014', '440524188001010014'],
    ['resident_id_card', '110105491231002', '11010519491231002X'],
    ['resident_id_card', '440524188001010014', '440524188001010014', 'chn'],
    ['hmt_residence_permit', '810000198001010014', '810000198001010014'],
    ['hmt_residence_permit', '820000198506150022', '820000198506150022'],
    ['hmt_residence_permit', '８３００００ 19901020 0037', '830000199010200037'],
    ['foreign_resident_card', '911124198108030024', '911124198108030024'],
    ['foreign_resident_card_2017', 'can110081080310', 'CAN110081080310'],
    ['hm_travel_permit', 'H12345678', 'H12345678'],
    ['hm_travel_permit', 'm1234567803', 'M12345678'],
    ['taiwan_travel_permit', '0123 4567', '01234567'],
    ['taiwan_travel_permit', '1234567890（b）', '1234567890(B)'],
    ['prc_passport', 'e12345678', 'E12345678'],
    ['prc_passport', 'EA1234567', 'EA1234567'],
    ['prc_passport', 'G12345678', 'G12345678'],
    ['prc_passport', 'SE1234567', 'SE1234567'],
    ['prc_passport', 'D1234567', 'D1234567'],
    ['foreign_passport', 'c01x00t47', 'C01X00T47', 'deu'],
    ['foreign_passport', '12345', '12345', 'USA'],
    ['net_number', 'Ab3dEf6hIj9kLm2nOp5q', 'Ab3dEf6hIj9kLm2nOp5q'],
  ];
  for (const [type, typed, number, issuer] of cases) t.is(read(type, typed, issuer), number, `${type} ${typed}`);
});

test('what is no document is refused with its reason', (t) => {
  const cases: readonly (readonly [string, string, string, string?])[] = [
    ['resident_id_card', '339900199001011015', 'check_character'],
    ['resident_id_card', '339900199002301013', 'date'],
    ['resident_id_card', '449900200102290025', 'date'],
    ['resident_id_card', '810000198001010014', 'region'],
    ['resident_id_card', '810000800101001', 'province'],
    ['resident_id_card', '339900199001011014', 'issuer', 'USA'],
    ['hmt_residence_permit', '339900199001011014', 'region'],
    ['hmt_residence_permit', '810000198001010015', 'check_character'],
    ['hmt_residence_permit', '810000199002301012', 'date'],
    ['foreign_resident_card', '911124198108030025', 'check_character'],
    ['foreign_resident_card', '811124198108030024', 'first_digit'],
    ['foreign_resident_card', 'CAN110081080310', 'length'],
    ['foreign_resident_card', '9'.repeat(18), 'repeated_digit'],
    ['foreign_resident_card', '91112419810803002O', 'characters'],
    ['foreign_resident_card_2017', '911124198108030024', 'length'],
    ['foreign_resident_card_2017', 'CA1110081080310', 'characters'],
    ['hm_travel_permit', 'H1234567', 'length'],
    ['hm_travel_permit', 'H123456789', 'length'],
    ['hm_travel_permit', 'K12345678', 'characters'],
    ['taiwan_travel_permit', '1234567', 'length'],
    ['taiwan_travel_permit', '1234567890B', 'length'],
    ['taiwan_travel_permit', '1234567a', 'characters'],
    ['prc_passport', 'EI1234567', 'shape'],
    ['prc_passport', 'EO1234567', 'shape'],
    ['prc_passport', 'X12345678', 'shape'],
    ['prc_passport', 'E1234', 'length'],
    ['foreign_passport', '1234', 'length', 'USA'],
    ['foreign_passport', '1'.repeat(21), 'length', 'USA'],
    ['foreign_passport', '12345-', 'characters', 'USA'],
    ['foreign_passport', 'E12345678', 'issuer', 'CHN'],
    ['foreign_passport', 'E12345678', 'issuer', 'HKG'],
    ['foreign_passport', 'E12345678', 'issuer', 'XXX'],
    ['foreign_passport', 'E12345678', 'issuer', 'CN'],
    ['net_number', 'Ab3dEf6hIj9kLm2nOp5', 'length'],
    ['net_number', 'a1'.repeat(33), 'length'],
    ['net_number', '12345678901234567890', 'shape'],
    ['net_number', 'abcdefghijklmnopqrst', 'shape'],
    ['net_number', 'Ab3dEf6hIj9kLm2nOp5-', 'characters'],
    ['library_card', '12345678', 'unknown_type'],
    ['constructor', '12345678', 'unknown_type'],
    ['__proto__', '12345678', 'unknown_type'],
  ];
  for (const [type, typed, reason, issuer] of cases) t.is(read(type, typed, issuer), reason, `${type} ${typed}`);
});

test('a document says of its holder what it says, and nothing where nobody has told us how to read it', (t) => {
  const facts = (type: DocumentType, number: string, issuer = 'CN') => {
    const outcome = parseDocument(type, issuer, number);
    return outcome.ok ? outcome.facts : undefined;
  };
  t.deepEqual(facts('hmt_residence_permit', '820000198506150022'), { birthDate: '1985-06-15', sex: 'female' });
  t.deepEqual(facts('foreign_resident_card', '911124198108030024'), { birthDate: '1981-08-03', sex: 'female' });
  t.deepEqual(facts('foreign_resident_card', '900000000000000004'), {}, 'a place that holds no date refuses nobody');
  t.deepEqual(facts('foreign_resident_card_2017', 'CAN110081080310'), {});
  t.deepEqual(facts('hm_travel_permit', 'H12345678'), {});
  const permit = parseDocument('hm_travel_permit', 'CN', 'H1234567802');
  t.is(permit.ok && permit.reissue, 2, 'how often it was issued anew is told and is no part of the key');
  t.is(documentCode('resident_id_card'), '111');
  t.is(documentCode('net_number'), undefined);
});

const CHARACTERS = [...'0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ'];
const CHECKED = [
  ['resident_id_card', '339900199001011014'],
  ['resident_id_card', '33990019850701009X'],
  ['resident_id_card', '449900200002290028'],
  ['resident_id_card', '11010519491231002X'],
  ['hmt_residence_permit', '810000198001010014'],
  ['hmt_residence_permit', '820000198506150022'],
  ['hmt_residence_permit', '830000199010200037'],
  ['foreign_resident_card', '911124198108030024'],
] as const;

/** A number of a family with a check character, out of digits that are drawn. */
function drawn(random: ReturnType<typeof seededRandom>): string {
  const two = (limit: number): string => String(random.below(limit) + 1).padStart(2, '0');
  const region = random.pick(['339900', '449900', '110105', '810000', '820000', '830000', `9111${two(89)}`]);
  const body = `${region}${1950 + random.below(60)}${two(12)}${two(28)}${String(random.below(1000)).padStart(3, '0')}`;
  for (const check of '0123456789X') if (recogniseDocument(body + check)) return body + check;
  throw new Error(`no check character for ${body}`);
}

test('every single wrong character in an ID number, residence permit or card of 2023 is caught', (t) => {
  const random = seededRandom(20231201);
  const numbers = [...CHECKED.map(([, number]) => number), ...Array.from({ length: 300 }, () => drawn(random))];
  let tried = 0;
  for (const number of numbers)
    for (let place = 0; place < number.length; place += 1)
      for (const wrong of CHARACTERS) {
        if (wrong === number[place]) continue;
        const mistyped = number.slice(0, place) + wrong + number.slice(place + 1);
        tried += 1;
        if (recogniseDocument(mistyped) !== undefined) return t.fail(`${number} mistyped as ${mistyped} is accepted`);
      }
  t.true(tried > 150_000);
});

test('every swap of two neighbours that differ is caught', (t) => {
  const random = seededRandom(11);
  for (let n = 0; n < 300; n += 1) {
    const number = drawn(random);
    for (let place = 0; place < 17; place += 1) {
      if (number[place] === number[place + 1]) continue;
      const swapped = `${number.slice(0, place)}${number[place + 1]}${number[place]}${number.slice(place + 2)}`;
      t.is(recogniseDocument(swapped), undefined, `${number} as ${swapped}`);
    }
  }
});

const fullWidth = (text: string): string =>
  text.replace(/[!-~]/g, (letter) => String.fromCharCode(letter.charCodeAt(0) + 0xfee0));
const UNSEEN = ['\u200b', '\ufeff', '\u00ad', ' ', '\u3000', '\t', '\u202e', '\ufe0f'];
/** One of each family, by its number alone. */
const SAMPLES: readonly (readonly [DocumentType, string, string])[] = [
  ...CHECKED.map(([type, number]) => [type, 'CN', number] as const),
  ['foreign_resident_card_2017', 'CN', 'CAN110081080310'],
  ['hm_travel_permit', 'CN', 'H12345678'],
  ['taiwan_travel_permit', 'CN', '01234567'],
  ['taiwan_travel_permit', 'CN', '1234567890(B)'],
  ['prc_passport', 'CN', 'EA1234567'],
  ['foreign_passport', 'DEU', 'C01X00T47'],
  ['net_number', 'CN', 'Ab3dEf6hIj9kLm2nOp5q'],
];

test('G1 whatever way an accepted number is typed, it is one document', (t) => {
  const random = seededRandom(7);
  for (const [type, issuer, number] of SAMPLES) {
    for (let n = 0; n < 200; n += 1) {
      const typed = [...number]
        .map((letter) => {
          const cased = type !== 'net_number' && random.below(2) === 0 ? letter.toLowerCase() : letter;
          const wide = random.below(3) === 0 ? fullWidth(cased) : cased;
          return random.below(4) === 0 ? wide + random.pick(UNSEEN) : wide;
        })
        .join('');
      t.is(read(type, typed, random.pick([issuer, issuer.toLowerCase()])), number, JSON.stringify(typed));
    }
  }
});

test('a number alone names one document, whichever family is asked first', (t) => {
  const recognised = (typed: string) => {
    const document = recogniseDocument(typed);
    return document && [document.type, document.issuer, document.number];
  };
  for (const [type, issuer, number] of SAMPLES) {
    const typed = type === 'foreign_passport' ? `${issuer}：${number}` : number;
    t.deepEqual(recognised(typed), [type, issuer, number]);
    const families = DOCUMENT_TYPES.filter(
      (other) => other !== 'foreign_passport' && parseDocument(other, 'CN', number).ok,
    );
    t.deepEqual(families, type === 'foreign_passport' ? [] : [type], number);
  }
  for (const typed of ['', 'H1234567', '12345', 'CHN:E12345678', 'USA:', 'a'.repeat(1e6), '：', '13800000000'])
    t.is(recognised(typed), undefined, typed.slice(0, 20));
});

test('G6 no text keeps the readers busy', (t) => {
  const started = performance.now();
  for (const text of ['1'.repeat(1e6), 'A'.repeat(128), '('.repeat(128), '\u200b'.repeat(128), 'ﷺ'.repeat(128)])
    for (const type of DOCUMENT_TYPES) read(type, text, 'USA');
  t.true(performance.now() - started < 50);
});
