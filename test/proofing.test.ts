import test from 'ava';
import { parseIdNumber } from '../src/people/id-number.ts';
import { type LegalPersonClaim, representativeDigest } from '../src/proofing/legal-person-register.ts';
import { SAMPLE_COMPANIES } from '../src/proofing/sample-companies.ts';
import {
  CHANGING_COMPANY,
  createSampleLegalPersonRegister,
  DEREGISTERED_COMPANY,
  NEXT_REPRESENTATIVE,
  UNAVAILABLE_USCC,
} from '../src/proofing/sample-legal-person-register.ts';
import {
  createSamplePopulationRegister,
  SAMPLE_PEOPLE,
  UNAVAILABLE_ID_NUMBER,
} from '../src/proofing/sample-population-register.ts';

const register = createSamplePopulationRegister();

test('the sample register vouches for its people and for nobody else', async (t) => {
  for (const claim of SAMPLE_PEOPLE) t.is(await register.check(claim), 'match', claim.name);
  t.is(await register.check({ idNumber: '339900199001011014', name: '李思远' }), 'mismatch');
  t.is(await register.check({ idNumber: '11010519491231002X', name: '王小明' }), 'mismatch');
  t.is(await register.check({ idNumber: '__proto__', name: '' }), 'mismatch');
});

test('blanks and the dot of a long name do not matter', async (t) => {
  for (const name of ['阿依古丽·买买提', '阿依古丽 • 买买提', '阿依古丽．买买提']) {
    t.is(await register.check({ idNumber: '449900197302140086', name }), 'match', name);
  }
});

test('a register that does not answer is unavailable, never a mismatch', async (t) => {
  t.is(await register.check({ idNumber: UNAVAILABLE_ID_NUMBER, name: '任何人' }), 'unavailable');
});

test('every sample number is valid and belongs to nobody alive', (t) => {
  const numbers = [...SAMPLE_PEOPLE.map(({ idNumber }) => idNumber), UNAVAILABLE_ID_NUMBER];
  t.is(new Set(numbers).size, 13);
  for (const number of numbers) {
    t.true(parseIdNumber(number).ok, number);
    t.regex(number, /^(3399|4499)00/);
  }
});

const REPRESENTED = [...SAMPLE_COMPANIES, CHANGING_COMPANY];

test('the sample register of legal persons knows who represents whom, and tells the ways of not matching apart', async (t) => {
  const companies = createSampleLegalPersonRegister();
  for (const claim of REPRESENTED) t.is(await companies.check(claim), 'match', claim.name);
  const [first, second] = SAMPLE_COMPANIES as [LegalPersonClaim, LegalPersonClaim];
  t.is(await companies.check({ ...first, name: '示例数字科技 有限公司' }), 'match', 'blanks do not matter');
  t.is(await companies.check({ ...first, representative: second.representative }), 'not_representative');
  t.is(
    await companies.check({ ...first, representative: { ...first.representative, documentType: 'passport' } }),
    'not_representative',
  );
  t.is(await companies.check({ ...first, name: second.name }), 'mismatch');
  t.is(await companies.check({ ...first, uscc: '91350100M000100Y43' }), 'mismatch');
  t.is(await companies.check({ ...first, uscc: '11339900000000035W' }), 'unsupported');
  t.is(await companies.check(DEREGISTERED_COMPANY), 'deregistered');
  t.is(await companies.check({ ...first, uscc: UNAVAILABLE_USCC }), 'unavailable');
});

test('how a legal person stands is told without saying who represents it', async (t) => {
  const companies = createSampleLegalPersonRegister();
  const { uscc, name, representative } = CHANGING_COMPANY;
  const before = representativeDigest(uscc, representative);
  t.deepEqual(await companies.statusOf(uscc), { state: 'active', name, representativeDigest: before });
  companies.changeRepresentative(uscc, NEXT_REPRESENTATIVE);
  t.is(await companies.check(CHANGING_COMPANY), 'not_representative');
  t.is(await companies.check({ ...CHANGING_COMPANY, representative: NEXT_REPRESENTATIVE }), 'match');
  const after = await companies.statusOf(uscc);
  t.true(after.state === 'active' && after.representativeDigest !== before);
  companies.deregister(uscc);
  t.deepEqual(await companies.statusOf(uscc), { state: 'deregistered' });
  t.deepEqual(await companies.statusOf(DEREGISTERED_COMPANY.uscc), { state: 'deregistered' });
  t.deepEqual(await companies.statusOf('91350100M000100Y43'), { state: 'unknown' });
  t.deepEqual(await companies.statusOf(UNAVAILABLE_USCC), { state: 'unavailable' });
});

const USCC_ALPHABET = '0123456789ABCDEFGHJKLMNPQRTUWXY';

/** GB 32100-2015: weights are powers of 3 modulo 31. */
const checkCharacter = (uscc: string): string => {
  const sum = [...uscc.slice(0, 17)].reduce((all, character, at) => {
    return all + USCC_ALPHABET.indexOf(character) * (3 ** at % 31);
  }, 0);
  return USCC_ALPHABET[(31 - (sum % 31)) % 31]!;
};

test('every sample company has a right code of an unassigned region, and its representative is a sample person', (t) => {
  t.is(checkCharacter('91350100M000100Y43'), '3');
  const companies = [...REPRESENTED, DEREGISTERED_COMPANY];
  const codes = [...companies.map(({ uscc }) => uscc), UNAVAILABLE_USCC];
  t.is(new Set(codes).size, 8);
  t.deepEqual([...new Set(codes.map((code) => code.slice(0, 2)))].sort(), ['12', '51', '91', '92']);
  for (const code of codes) {
    t.is(code[17], checkCharacter(code), code);
    t.is(code.slice(2, 8), '339900');
  }
  for (const { name, documentNumber } of [...companies.map((company) => company.representative), NEXT_REPRESENTATIVE]) {
    t.true(SAMPLE_PEOPLE.some((person) => person.name === name && person.idNumber === documentNumber));
  }
});
