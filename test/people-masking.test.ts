import test from 'ava';
import { createBlindIndex } from '../src/crypto/blind-index.ts';
import { claimsFor } from '../src/people/claims.ts';
import {
  type MaskingLevel,
  maskDocument,
  maskEmail,
  maskIdNumber,
  maskName,
  maskPhone,
  maskUserName,
} from '../src/people/masking.ts';
import { createPersons } from '../src/people/persons.ts';
import { turnClock } from '../src/shared/clock.ts';
import { sqliteDatabase } from './support/databases.ts';
import { testLedger } from './support/ledger.ts';
import { addPerson, documentOf, FOUND_GUARD, idNumberOf, SEALER, testPersons } from './support/people.ts';

test.afterEach.always(() => turnClock(0));

test('F6 names are hidden by characters, whatever their length and script', (t) => {
  const names: readonly (readonly [string, string])[] = [
    ['王小明', '*小明'],
    ['周大友', '*大友'],
    ['孙丽', '*丽'],
    ['丽', '*'],
    ['𠮷野家', '*野家'],
    ['𠮷𠮷', '*𠮷'],
    ['欧阳修远', '***远'],
    ['阿依古丽·买买提', '****·**提'],
    ['买买提·阿', '***·阿'],
    ['John Smith', '**** ****h'],
    ['Li', '*i'],
    ['', ''],
  ];
  for (const [name, masked] of names) t.is(String(maskName(name)), masked);
});

test('F6 numbers are hidden strongly unless told otherwise, and no mask shows a number whole', (t) => {
  const documents: readonly (readonly [string, string, string, string, string?])[] = [
    ['resident_id_card', '33990019850701009X', '3****************X', '3***00198507*****X'],
    ['hmt_residence_permit', '810000198001010014', '8****************4', '8***00198001*****4'],
    ['foreign_resident_card', '911124198108030024', '9****************4', '9***24198108*****4'],
    ['foreign_resident_card_2017', 'CAN110081080310', 'CAN11*****80310', 'CAN11*****80310'],
    ['hm_travel_permit', 'M12345678', 'M12***678', 'M12***678'],
    ['taiwan_travel_permit', '12345678', '12****78', '12****78'],
    ['taiwan_travel_permit', '1234567890(B)', '1234*****0(B)', '1234*****0(B)'],
    ['prc_passport', 'EA1234567', 'EA1***567', 'EA1***567'],
    ['foreign_passport', '12345', '1***5', '1***5', 'USA'],
    ['foreign_passport', 'A1234567890123456789', 'A1234**********56789', 'A1234**********56789', 'USA'],
    ['net_number', 'Ab3dEf6hIj9kLm2nOp5q', 'Ab3dE**********nOp5q', 'Ab3dE**********nOp5q'],
  ];
  for (const [type, number, strong, ordinary, issuer] of documents) {
    const document = documentOf(type, number, issuer);
    t.is(String(maskDocument(document)), strong, type);
    t.is(String(maskDocument(document, 'ordinary')), ordinary, type);
    const shown = (level: MaskingLevel): number =>
      [...maskDocument(document, level)].filter((one) => one !== '*').length;
    t.true(shown('ordinary') < number.length && shown('strong') <= 10, type);
  }
  t.is(String(maskIdNumber('339900850701009')), '3*************9', 'the first generation has fifteen');
  t.is(String(maskIdNumber('339900850701009', 'ordinary')), '3***008507****9');
});

test('F6 phones, mailboxes and user names keep what their owner recognises', (t) => {
  const phones: readonly (readonly [string, string])[] = [
    ['+8613712349050', '137****9050'],
    ['13712349050', '137****9050'],
    ['+85251234567', '+85*****4567'],
    ['+1234567', '+12*4567'],
  ];
  for (const [phone, masked] of phones) t.is(String(maskPhone(phone)), masked);
  const mailboxes: readonly (readonly [string, string])[] = [
    ['wang.xiaoming@example.cn', 'wan***@example.cn'],
    ['wang@example.cn', 'wan***@example.cn'],
    ['wan@example.cn', 'w***@example.cn'],
    ['w@example.cn', 'w***@example.cn'],
  ];
  for (const [mailbox, masked] of mailboxes) t.is(String(maskEmail(mailbox)), masked);
  t.is(String(maskUserName('xiao.ming')), 'x*******g');
  t.is(String(maskUserName('王小明同志')), '王***志');
});

test('the house decides how far numbers are hidden, for pages and portals alike', async (t) => {
  const database = await sqliteDatabase(t);
  const id = await addPerson(testPersons(database), {
    idNumber: idNumberOf('33990019850701009X'),
    name: '李思远',
    ial: 2,
    origin: 'test',
  });
  const persons = createPersons({
    database,
    sealer: SEALER,
    index: createBlindIndex(Buffer.alloc(32, 2)),
    ledger: testLedger(database),
    guard: FOUND_GUARD,
    masking: 'ordinary',
  });
  t.is(String((await persons.profile(id))?.maskedNumber), '3***00198507*****X');
  t.like(claimsFor(['identity'], (await persons.profile(id))!), { id_number_masked: '3***00198507*****X' });
});

test.serial('a portal that needs to know whether somebody is of age learns that and nothing else', async (t) => {
  const database = await sqliteDatabase(t);
  const persons = testPersons(database);
  const born = await addPerson(persons, {
    idNumber: idNumberOf('449900200002290028'),
    name: '陈雨桐',
    ial: 2,
    origin: 'test',
  });
  const nameless = await addPerson(persons, {
    document: documentOf('net_number', 'Ab3dEf6hIj9kLm2nOp5q'),
    ial: 3,
    origin: 'test',
  });
  const turnTo = (time: string): void => {
    turnClock(0);
    turnClock(Date.parse(time) - Date.now());
  };
  const told = async (id: string) => claimsFor(['openid', 'age'], (await persons.profile(id))!);
  // Born on 29 February 2000; days begin in Beijing.
  for (const [time, isOfAge] of [
    ['2018-02-28T15:59:00Z', false],
    ['2018-02-28T16:01:00Z', true],
    ['2026-01-01T00:00:00Z', true],
    ['2010-01-01T00:00:00Z', false],
  ] as const) {
    turnTo(time);
    t.deepEqual(await told(born), { age_over_18: isOfAge }, time);
  }
  t.deepEqual(await told(nameless), {}, 'what nobody has told us we do not claim');
});
