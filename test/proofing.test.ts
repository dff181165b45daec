import test from 'ava';
import { parseIdNumber } from '../src/people/id-number.ts';
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
