import type { IdentityClaim, IdentitySource } from './identity-source.ts';
import { spellingOf } from './spelling.ts';

/**
 * The people of the sample register. All of them are invented: region codes 3399xx and 4499xx were never assigned, so that no
 * number can be a living person's.
 */
export const SAMPLE_PEOPLE: readonly IdentityClaim[] = [
  { idNumber: '339900199001011014', name: '王小明' },
  { idNumber: '33990019850701009X', name: '李思远' },
  { idNumber: '449900200002290028', name: '陈雨桐' },
  { idNumber: '339900199203170021', name: '赵雅琴' },
  { idNumber: '339900197809230034', name: '周建国' },
  { idNumber: '339900196505120042', name: '吴秀英' },
  { idNumber: '339900200408150054', name: '郑浩然' },
  { idNumber: '339900199906300064', name: '孙丽' },
  { idNumber: '449900198811050075', name: '欧阳修远' },
  { idNumber: '449900197302140086', name: '阿依古丽·买买提' },
  { idNumber: '449900195604190098', name: '何桂芳' },
  { idNumber: '339900198312240119', name: '林志强' },
];

/** For trying out what people see when the register does not answer: this number never gets a verdict. */
export const UNAVAILABLE_ID_NUMBER = '339900197001010135';

/** A population register of invented people, for demo and tests. Production refuses it by configuration. */
export function createSamplePopulationRegister(people: readonly IdentityClaim[] = SAMPLE_PEOPLE): IdentitySource {
  const names = new Map(people.map(({ idNumber, name }) => [idNumber, spellingOf(name)]));
  return {
    name: 'sample-population-register',
    async check({ idNumber, name }) {
      if (idNumber === UNAVAILABLE_ID_NUMBER) return 'unavailable';
      return names.get(idNumber) === spellingOf(name) ? 'match' : 'mismatch';
    },
  };
}
