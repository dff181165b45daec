import test from 'ava';
import { classify, parseIdentifier } from '../src/people/identifiers/identifier.ts';
import { seededRandom } from './support/seeded-random.ts';

/** What a text means: kind and normal form, or nothing. */
const meant = (typed: string): string => {
  const typedIdentifier = classify(typed);
  if (typedIdentifier === undefined) return '';
  if (typedIdentifier.kind === 'document') {
    const { type, issuer, number } = typedIdentifier.document;
    return `${type}:${issuer}:${number}`;
  }
  return `${typedIdentifier.kind}:${typedIdentifier.identifier.value}`;
};

test('one field takes documents, phones, mailboxes and user names, and a text means one of them or none', (t) => {
  const cases: readonly (readonly [string, string])[] = [
    ['339900199001011014', 'resident_id_card:CN:339900199001011014'],
    [' 33990019850701009x ', 'resident_id_card:CN:33990019850701009X'],
    ['110105491231002', 'resident_id_card:CN:11010519491231002X'],
    ['810000198001010014', 'hmt_residence_permit:CN:810000198001010014'],
    ['h12345678', 'hm_travel_permit:CN:H12345678'],
    ['12345678', 'taiwan_travel_permit:CN:12345678'],
    ['usa/123456789', 'foreign_passport:USA:123456789'],
    ['Ab3dEf6hIj9kLm2nOp5q', 'net_number:CN:Ab3dEf6hIj9kLm2nOp5q'],
    ['13800000000', 'phone:+8613800000000'],
    ['１３８ 0000-0000', 'phone:+8613800000000'],
    ['+86 138 0000 0000', 'phone:+8613800000000'],
    ['008613800000000', 'phone:+8613800000000'],
    ['+852 5123 4567', 'phone:+85251234567'],
    [' Wang.Xiao@Example.CN ', 'email:wang.xiao@example.cn'],
    ['wang＠example.cn', 'email:wang@example.cn'],
    ['Wang_Xiaoming', 'user_name:wang_xiaoming'],
    ['ＷＡＮＧ.１９９０', 'user_name:wang.1990'],
    ['王小明同志', 'user_name:王小明同志'],
    ['Straße', 'user_name:strasse'],
    ['', ''],
    ['   ', ''],
    ['wang', 'user_name:wang'],
    ['abc', ''],
    ['339900199001011015', ''],
    ['33990019900101101X', ''],
    ['3399001990010110', ''],
    ['a@b@c.cn', ''],
    ['@example.cn', ''],
    ["' OR 1=1 --", ''],
    ['a'.repeat(1e6), ''],
    [`${'a'.repeat(300)}@example.cn`, ''],
  ];
  for (const [typed, expected] of cases) t.is(meant(typed), expected, typed.slice(0, 40));
});

test('a user name is never a number, a reserved word, or what could be taken for another name', (t) => {
  const reason = (typed: string): string => {
    const outcome = parseIdentifier('user_name', typed);
    return outcome.ok ? `accepted ${outcome.identifier.value}` : outcome.reason;
  };
  const cases: readonly (readonly [string, string])[] = [
    ['Wang.Xiao-Ming_90', 'accepted wang.xiao-ming_90'],
    ['王小明', 'length'],
    ['王小明9', 'accepted 王小明9'],
    ['𠮷野家家', 'accepted 𠮷野家家'],
    ['a'.repeat(32), `accepted ${'a'.repeat(32)}`],
    ['a'.repeat(33), 'length'],
    ['wan', 'length'],
    ['_wang', 'characters'],
    ['wang xiao', 'accepted wangxiao'],
    ['wang/xiao', 'characters'],
    ['wang@xiao', 'characters'],
    ['wang\u20ddx', 'characters'],
    ['wang😀', 'characters'],
    ['w\u0430ng', 'mixed_scripts'],
    ['\u03bdang', 'mixed_scripts'],
    ['иван', 'accepted иван'],
    ['19900101', 'no_letter'],
    ['1990.01.01', 'no_letter'],
    ['33990019850701009X', 'looks_like_number'],
    ['339900-19850701-009x', 'looks_like_number'],
    ['3399OO199001011014', 'looks_like_number'],
    ['wang13800000000', 'looks_like_number'],
    ['H12345678', 'looks_like_number'],
    ['h.12345678', 'looks_like_number'],
    ['CAN110081080310', 'looks_like_number'],
    ['E12345678', 'looks_like_number'],
    ['ab3def6hij9klm2nop5q', 'looks_like_number'],
    ['Admin', 'reserved'],
    ['a.d.m.i.n', 'reserved'],
    ['系统管理员', 'reserved'],
    ['ＲＯＯＴ', 'reserved'],
    ['constructor', 'accepted constructor'],
  ];
  for (const [typed, expected] of cases) t.is(reason(typed), expected, typed);
  t.is(meant('admin'), 'user_name:admin', 'what is reserved is not for the sign-in form to tell');
});

test('G1 however a user name is written it is one name, and it never reads as anything else', (t) => {
  const random = seededRandom(1990);
  const letters = [...'abcdefghijklmnopqrstuvwxyzABCXYZ王小明阿依ßÄöé0123456789._-'];
  let accepted = 0;
  for (let n = 0; n < 5000; n += 1) {
    const typed = Array.from({ length: 3 + random.below(24) }, () => random.pick(letters)).join('');
    const outcome = parseIdentifier('user_name', typed);
    if (!outcome.ok) continue;
    accepted += 1;
    const { value } = outcome.identifier;
    for (const spelling of [value, typed.toUpperCase(), typed.toLowerCase(), `\u200b${typed} `, typed.normalize('NFD')])
      t.is(meant(spelling), `user_name:${value}`, `${typed} as ${spelling}`);
  }
  t.true(accepted > 2000, `${accepted} names`);
});

test('G6 no text keeps the reading of the field busy', (t) => {
  const started = performance.now();
  for (const text of ['@'.repeat(1e6), 'a.'.repeat(160), `${'a'.repeat(250)}@`, '+'.repeat(1e6), '1-'.repeat(128)])
    meant(text);
  t.true(performance.now() - started < 100);
});
