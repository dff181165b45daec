import test from 'ava';
import { loadConfig } from '../src/config/load.ts';
import { warningsOf } from '../src/config/relations.ts';
import { loadMatters, scopeOf } from '../src/legal-persons/matters.ts';
import { Fault } from '../src/shared/fault.ts';
import { temporaryFile } from './support/folders.ts';

test('the catalogue we ship is read, and a mandate covers by name what its matters are done at', (t) => {
  const matters = loadMatters('');
  t.true(matters.all.length >= 8);
  t.deepEqual(matters.at('citizen-centre', ['tax', 'general', 'health-cover']), ['general', 'health-cover']);
  t.deepEqual(scopeOf(matters, { matters: ['tax', 'employer-insurance', 'tax'] }), {
    ok: true,
    scope: { matters: ['employer-insurance', 'tax'], portals: ['business-start-up', 'citizen-centre'] },
  });
  t.deepEqual(scopeOf(matters, { matters: ['constructor'] }), { ok: false, reason: 'unknown_matter' });
  t.deepEqual(scopeOf(matters, { matters: Array.from({ length: 51 }, (_, at) => `m${at}`) }), {
    ok: false,
    reason: 'no_matter',
  });
});

test('a catalogue that cannot be used ends the start with everything that is wrong with it', (t) => {
  const load = (content: unknown): string => {
    const error = t.throws(() =>
      loadMatters(temporaryFile(t, typeof content === 'string' ? content : JSON.stringify(content))),
    );
    t.true(error instanceof Fault);
    return (error as Error).message;
  };
  const matter = { id: 'tax', zh: '税', en: 'Tax', portals: ['p-1'] };
  t.regex(load('not json'), /not JSON/);
  t.regex(load([matter, matter]), /has an id twice/);
  t.regex(
    load([
      { ...matter, id: 'Tax!' },
      { ...matter, portals: [] },
    ]),
    /\[0\.id\].*\[1\.portals\]/,
  );
  t.regex(load([{ ...matter, role: 'all' }]), /\[0\]/);
  t.throws(() => loadMatters('/nowhere'), { instanceOf: Fault });
});

test('production is told at every start that it gives mandates for the matters of the demonstration', (t) => {
  const loaded = loadConfig({ env: {} });
  if (!loaded.ok) return t.fail();
  const warnings = (mattersFile: string): string =>
    warningsOf({
      ...loaded.config,
      profile: 'production',
      legalPersons: { ...loaded.config.legalPersons, mattersFile },
    }).join();
  t.regex(warnings(''), /legalPersons\.mattersFile/);
  t.is(warnings('/etc/tongban/matters.json'), '');
});
