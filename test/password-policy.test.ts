import test from 'ava';
import { commonPasswordsCount } from '../src/factors/password-blocklist.ts';
import { judgePassword, type PasswordContext } from '../src/factors/password-policy.ts';

const LENGTHS = { minLength: 8, maxLength: 256 };
const PERSON: PasswordContext = {
  idNumber: '33990019850701009X',
  birthDate: '1985-07-01',
  phone: '+8613812345678',
  name: '李思远',
  email: 'siyuan.li@example.cn',
  words: ['tongban', '通办'],
};

const verdict = (password: string): string => {
  const judged = judgePassword(password, LENGTHS, PERSON);
  return judged.ok ? 'ok' : judged.reason;
};

test('D1 length counts characters of the normal form, from the minimum to the cap', (t) => {
  const longest = Array.from({ length: 256 }, (_, n) => String.fromCharCode(0x4e00 + n * 7)).join('');
  t.is(verdict('kiwi-42'), 'too_short');
  t.is(verdict('kiwi-42x'), 'ok');
  t.is(verdict('通向春天的小路上'), 'ok');
  t.is(verdict('𠮷野家的午餐'), 'too_short', 'six characters, seven code units');
  t.is(verdict('ﷺ'), 'ok', 'its normal form has eighteen characters');
  t.is(verdict(longest), 'ok');
  t.is(verdict(`${longest}。`), 'too_long');
  t.is(verdict('x'.repeat(1e6)), 'too_long');
  t.is(verdict('ﷺ'.repeat(200)), 'too_long');
  t.is(verdict('broken \ud800 text'), 'ill_formed');
});

test('D2 no composition is demanded and every printable character is allowed', (t) => {
  for (const password of [
    'the kettle sings at dawn',
    '水光潋滟晴方好',
    'tea🍵tea🌿rain',
    'k j h w p v z e',
    ' blanks around ',
  ]) {
    t.is(verdict(password.padEnd(8, '。')), 'ok', password);
  }
});

test('D3 the list holds thousands of passwords that would satisfy the length', (t) => {
  t.true(commonPasswordsCount(8) > 3000, String(commonPasswordsCount(8)));
});

test('D3 what attackers try first is refused in every disguise', (t) => {
  const common = [
    'password',
    'PassWord',
    'p@ssw0rd',
    'P@$$w0rd!!!',
    'ｐａｓｓｗｏｒｄ',
    'password123',
    'Woaini1314',
    'woaini520',
    '5201314aa',
    'qwertyuiop',
    'qwerty123',
    '1qaz2wsx3edc',
    '147258369',
    'admin888888',
    'Zhangsan123',
    'Beijing2008',
    'Admin@123',
    '88888888',
    '12345678',
    '87654321',
    '901234567',
    'abcdefgh',
    'ponmlkji',
    'asdfghjkl',
    'abcabcabc',
    '12121212',
    '一一一一一一一一',
  ];
  for (const password of common) t.is(verdict(password), 'common', password);
});

test('D3 no part of the own ID number, birth date, phone, name or mailbox', (t) => {
  const personal = [
    'my-01009x-key',
    'my-01009X-key',
    'region339900!',
    '19850701-hat',
    'hat 850701 hat',
    'hat 07011985 hat',
    'call 13812345678',
    'hat-345678-hat',
    '李思远的午餐盒子',
    'Siyuan.Li-hats',
  ];
  for (const password of personal) t.is(verdict(password), 'personal', password);
  t.true(judgePassword('call 13812345678', LENGTHS, {}).ok, 'a stranger may');
});

test('D3 the name of the service carries no password, and does no harm in a sentence', (t) => {
  for (const password of ['TongBan-42', '通办通办通办通办1', 'x!tongban7'])
    t.is(verdict(password), 'context', password);
  t.is(verdict('tongban closes at five'), 'ok');
});
