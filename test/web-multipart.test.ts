import test from 'ava';
import { z } from 'zod';
import { parseUpload } from '../src/web/multipart.ts';

const LIMITS = { filesMax: 2, fileBytesMax: 100 };
const SCHEMA = z.strictObject({ name: z.string().max(50) });

const part = (head: string, content: string): string =>
  `--b0undary\r\nContent-Disposition: form-data; ${head}\r\n\r\n${content}\r\n`;
const field = (name: string, value: string): string => part(`name="${name}"`, value);
const file = (name: string, content: string, fileName = 'a.pdf'): string =>
  part(`name="${name}"; filename="${fileName}"\r\nContent-Type: application/pdf`, content);
const body = (...parts: readonly string[]): Buffer => Buffer.from(`${parts.join('')}--b0undary--\r\n`);
const read = (content: Buffer, limits = LIMITS) => parseUpload(content, 'b0undary', SCHEMA, limits);

test('G6 a form with files is read to the byte: text, names in Chinese, and what looks like a boundary inside', (t) => {
  const content = 'line\r\n--b0undar\r\n\r\n--\u0000b0undary--';
  const outcome = read(body(field('name', '示例'), file('files', content, '执照.pdf'), file('files', '')));
  if (outcome.state !== 'read') return t.fail(outcome.state);
  t.deepEqual(outcome.values, { name: '示例' });
  t.deepEqual(
    outcome.files.map(({ field: name, name: fileName, content: bytes }) => [name, fileName, String(bytes)]),
    [
      ['files', '执照.pdf', content],
      ['files', 'a.pdf', ''],
    ],
  );
  const nothing = read(body(field('name', 'a'), file('files', '', '')));
  t.like(nothing, { state: 'read', files: [] }, 'an input in which nothing was chosen');
});

test('G5 G6 too many, too large, doubled, unknown and broken parts are refused', (t) => {
  const big = 'x'.repeat(101);
  const cases: readonly (readonly [string, Buffer, 'too_large' | 'malformed'])[] = [
    ['a file too large', body(field('name', 'a'), file('files', big)), 'too_large'],
    ['a file too many', body(file('f', 'a'), file('f', 'b'), file('f', 'c')), 'too_large'],
    ['a field too large', body(field('name', 'x'.repeat(9000))), 'too_large'],
    ['too many fields', body(...Array.from({ length: 21 }, (_, at) => field(`n${at}`, 'a'))), 'too_large'],
    ['a field twice', body(field('name', 'a'), field('name', 'b')), 'malformed'],
    ['an unknown field', body(field('name', 'a'), field('admin', 'yes')), 'malformed'],
    [
      'a name of Object.prototype',
      body(field('name', 'a'), field('__proto__', 'x'), field('constructor', 'y')),
      'malformed',
    ],
    ['no end', Buffer.from(field('name', 'a')), 'malformed'],
    ['no beginning', Buffer.from(`preamble\r\n${field('name', 'a')}--b0undary--`), 'malformed'],
    ['a part without a name', body(part('filename="a"', 'x')), 'malformed'],
    ['a part without a disposition', Buffer.from('--b0undary\r\nX: y\r\n\r\na\r\n--b0undary--'), 'malformed'],
    ['a head without end', Buffer.from(`--b0undary\r\n${'a'.repeat(5000)}`), 'malformed'],
    [
      'text that is not UTF-8',
      Buffer.concat([
        Buffer.from('--b0undary\r\nContent-Disposition: form-data; name="name"\r\n\r\n'),
        Buffer.from([0xff, 0xfe]),
        Buffer.from('\r\n--b0undary--'),
      ]),
      'malformed',
    ],
    ['nothing', Buffer.alloc(0), 'malformed'],
  ];
  for (const [what, content, state] of cases) t.is(read(content).state, state, what);
});

test('G6 hostile bodies cost little time', (t) => {
  const started = performance.now();
  read(Buffer.from('--b0undary\r\n'.repeat(200_000)));
  read(Buffer.from(`--b0undary\r\n${'\r\n'.repeat(500_000)}`));
  read(body(field('name', '\r\n--b0undar'.repeat(700))));
  t.true(performance.now() - started < 500);
});
