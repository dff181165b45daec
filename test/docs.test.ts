import test from 'ava';
import { BOOKS, readBook, regenerateCommand, renderBook } from '../src/commands/docs.ts';
import { EVENTS } from '../src/ledger/events.ts';
import { FAULTS } from '../src/shared/faults.ts';

for (const book of BOOKS) {
  test(`docs/${book}.md is what the catalogue says`, (t) => {
    t.is(readBook(book), renderBook(book), `out of date: run ${regenerateCommand(book)}`);
  });
}

test('the books leave nothing out, and no fault number is used twice', (t) => {
  const faults = renderBook('faults');
  for (const [code, { number, zh, en }] of Object.entries(FAULTS)) {
    t.true(faults.includes(`### ${number} \`${code}\``), code);
    t.true(faults.includes(zh) && faults.includes(en), code);
  }
  t.is(new Set(Object.values(FAULTS).map(({ number }) => number)).size, Object.keys(FAULTS).length);
  for (const type of Object.keys(EVENTS)) t.true(renderBook('events').includes(`| \`${type}\` |`), type);
});
