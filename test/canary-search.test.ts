import { randomUUID } from 'node:crypto';
import test from 'ava';
import { Canaries, writtenWays } from './support/canaries.ts';
import { LI } from './support/server.ts';

test('H5 P20 the search finds a value in any disguise, broken or cut, and nothing where there is none', (t) => {
  const canaries = new Canaries();
  const [number, password, token] = [
    LI.idNumber,
    '夜航船 kanarienvogel & 7=dachboden',
    `at_${randomUUID()}-${randomUUID()}`,
  ];
  canaries.keep('number', ...Object.values(writtenWays(number)));
  canaries.keep('password', password);
  canaries.keep('token', token);
  const pairs = Buffer.from(JSON.stringify({ sub: 'x', id_number: number, exp: 1 }));
  for (const [how, text] of Object.entries({
    plain: `number=${number}.`,
    'with marks between': `${number.slice(0, 6)}\u2003${number.slice(6)}`,
    'over two lines': `${token.slice(0, 30)}\n    ${token.slice(30)}`,
    'over two lines of a text in JSON': JSON.stringify(`${token.slice(0, 11)}\r\n${token.slice(11, 50)}`),
    'in Basic': btoa(`portal:${token}`),
    'in a JWT': `eyJhbGciOiJFUzI1NiJ9.${pairs.toString('base64url')}.c2ln`,
    'in Base64 over lines': pairs.toString('base64').replaceAll(/.{16}/g, '$&\r\n'),
    'in hexadecimal': Buffer.from(`.${password}`).toString('hex'),
    'in an address': `/x?${new URLSearchParams({ password })}`,
    'as a component': encodeURIComponent(password),
    'in ASCII': '\\u591c\\u822a\\u8239 kanarienvogel & 7=dachboden',
    'cut at the end': token.slice(0, 40),
    'cut at the beginning': token.slice(-40),
  }))
    t.not(canaries.foundIn(`{"time":1795411248086}\n${text}\n`).length, 0, how);
  const harmless = '33990019850701008X 3****************X kanarienvogel at_ psn_1 eyJhbGciOiJFUzI1NiJ9';
  t.deepEqual(canaries.foundIn(harmless), []);
});
