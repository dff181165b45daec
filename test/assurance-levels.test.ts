import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { type AssuranceLevel, levelEarned, PROOFS, type Proof, proofOfSource } from '../src/proofing/levels.ts';
import { fromPartner, loadPartnerScales, toPartner } from '../src/proofing/partner-scales.ts';
import { createSampleLegalPersonRegister } from '../src/proofing/sample-legal-person-register.ts';
import { createSamplePopulationRegister } from '../src/proofing/sample-population-register.ts';
import { Fault } from '../src/shared/fault.ts';
import { temporaryFolder } from './support/folders.ts';

const LEVELS: readonly AssuranceLevel[] = [0, 1, 2, 3, 4];

test('the best proof decides, and two weak ones are no strong one', (t) => {
  const cases: readonly (readonly [readonly Proof[], AssuranceLevel])[] = [
    [[], 0],
    [['nothing'], 0],
    [['well-formed'], 1],
    [['two-factor-match'], 2],
    [['well-formed', 'two-factor-match', 'two-factor-match'], 2],
    [['live-person'], 3],
    [['network-credential'], 3],
    [['network-credential', 'live-person'], 3],
    [['counter'], 4],
    [['certificate', 'well-formed'], 4],
  ];
  for (const [proofs, level] of cases) t.is(levelEarned(proofs), level, proofs.join());
  t.deepEqual([...new Set(cases.flatMap(([proofs]) => proofs))].sort(), Object.keys(PROOFS).sort());
});

test('which source earns what, and one that nobody knows earns nothing', (t) => {
  for (const { name } of [createSamplePopulationRegister(), createSampleLegalPersonRegister()]) {
    t.is(proofOfSource(name), 'two-factor-match', name);
  }
  t.is(proofOfSource('population-register'), 'two-factor-match');
  t.is(proofOfSource('legal-person-register'), 'two-factor-match');
  t.is(proofOfSource('network-identity-service'), 'network-credential');
  t.is(proofOfSource('counter'), 'counter');
  for (const name of ['', 'my-own-word', 'constructor', '__proto__']) t.is(proofOfSource(name), 'nothing', name);
});

/** How Guangdong's older interface writes a level. Spelt out of two parts: requirements of this house are named alike. */
const older = (level: number): string => `L${level}`;

/** What each partner is told for the levels 0 to 4, and what we believe for each of its values. */
const TABLE: Readonly<Record<string, readonly [readonly (string | undefined)[], Readonly<Record<string, number>>]>> = {
  guangdong: [[undefined, '二级', '三级', '四级', '五级'], { 二级: 1, 三级: 2, 四级: 3, 五级: 4 }],
  'guangdong-api': [[0, 0, 1, 2, 3].map(older), { [older(0)]: 0, [older(1)]: 2, [older(2)]: 3, [older(3)]: 4 }],
  zhejiang: [['1', '1', '2', '3', '3'], { 1: 0, 2: 2, 3: 3 }],
  anhui: [[undefined, '初级', '初级', '中级', '高级'], { 初级: 1, 中级: 2, 高级: 3 }],
};

test('the shipped scales say what the table says, both ways', (t) => {
  const scales = loadPartnerScales('');
  t.deepEqual(Object.keys(scales).sort(), Object.keys(TABLE).sort());
  for (const [partner, [told, believed]] of Object.entries(TABLE)) {
    const scale = scales[partner]!;
    t.deepEqual(
      LEVELS.map((ial) => toPartner(scale, ial)),
      told,
      partner,
    );
    for (const [value, ial] of Object.entries(believed)) t.is(fromPartner(scale, value), ial as AssuranceLevel, value);
    t.is(scale.steps.length, Object.keys(believed).length);
    for (const strange of ['', older(9), '零级', 'constructor']) t.is(fromPartner(scale, strange), undefined);
  }
});

test('no level rises on its way to a partner and back, and none is told above what was proven', (t) => {
  for (const [partner, scale] of Object.entries(loadPartnerScales(''))) {
    for (const ial of LEVELS) {
      const value = toPartner(scale, ial);
      if (value !== undefined) t.true(fromPartner(scale, value)! <= ial, `${partner} ${ial} ${value}`);
    }
  }
});

test('the document shows the shipped scales', (t) => {
  const document = readFileSync(new URL('../docs/assurance.md', import.meta.url), 'utf8');
  const scales = loadPartnerScales('');
  for (const ial of LEVELS) {
    const cells = ['guangdong', 'guangdong-api', 'zhejiang', 'anhui'].map(
      (partner) => toPartner(scales[partner]!, ial) ?? '–',
    );
    t.true(document.includes(`| ${ial} | ${cells.join(' | ')} |`), `level ${ial}`);
  }
});

test('a table by which a level could rise, or that is none, is refused with every fault at once', (t) => {
  const file = join(temporaryFolder(t), 'scales.json');
  const refused = (content: unknown, sentence: RegExp): void => {
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
    const fault = t.throws(() => loadPartnerScales(file), { instanceOf: Fault }, sentence.source);
    t.regex(fault?.message ?? '', sentence);
  };
  const steps = (...rows: readonly (readonly [string, number, number])[]) => ({
    title: 'x',
    steps: rows.map(([value, tell, believe]) => ({ value, tell, believe })),
  });
  refused('{', /cannot be read/);
  refused({ a1: steps(['1', 1, 2]) }, /rise on its way/);
  refused({ a1: steps(['1', 2, 1], ['2', 2, 2]) }, /tell must rise/);
  refused({ a1: steps(['1', 2, 2], ['2', 3, 1]) }, /believe must not fall/);
  refused({ a1: steps(['1', 1, 1], ['1', 2, 2]) }, /twice/);
  refused(
    { a1: steps(['1', 5, 1]), b1: { title: '', steps: [] } },
    /a1\.steps\.0\.tell[\s\S]*b1\.title[\s\S]*b1\.steps/,
  );
  t.throws(() => loadPartnerScales('/nowhere/scales.json'), { instanceOf: Fault, message: /\/nowhere\/scales\.json/ });
  writeFileSync(file, JSON.stringify({ 'my-city': steps(['A', 0, 0], ['B', 2, 2]) }));
  t.is(toPartner(loadPartnerScales(file)['my-city']!, 3), 'B');
});
