import {
  type LegalPersonClaim,
  type LegalPersonRegister,
  type RepresentativeClaim,
  representativeDigest,
} from './legal-person-register.ts';
import { SAMPLE_COMPANIES } from './sample-companies.ts';
import { spellingOf } from './spelling.ts';

/** A company that was struck off: its representative of then is refused, whoever asks. */
export const DEREGISTERED_COMPANY: LegalPersonClaim = {
  uscc: '91339900MA9X01049Y',
  name: '示例昨日贸易有限公司',
  representative: { name: '何桂芳', documentType: 'resident_id_card', documentNumber: '449900195604190098' },
};

/** A company whose representative can be changed before everybody's eyes: at first 孙丽, afterwards 林志强. */
export const CHANGING_COMPANY: LegalPersonClaim = {
  uscc: '91339900MA9X01057R',
  name: '示例更替科技有限公司',
  representative: { name: '孙丽', documentType: 'resident_id_card', documentNumber: '339900199906300064' },
};

export const NEXT_REPRESENTATIVE: RepresentativeClaim = {
  name: '林志强',
  documentType: 'resident_id_card',
  documentNumber: '339900198312240119',
};

/** For trying out what people see when the register does not answer: this company never gets a verdict. */
export const UNAVAILABLE_USCC = '91339900MA9X01065L';

/**
 * Registration department and category of those whom the national interface matches online: public institutions, social
 * organisations of the three kinds, and what the market regulator registers. All others go to manual review.
 */
const MATCHED_ONLINE: ReadonlySet<string> = new Set(['12', '51', '52', '53', '91', '92', '93']);

/** A sample register in which time can be made to pass; changes live in this process alone. */
export interface SampleLegalPersonRegister extends LegalPersonRegister {
  changeRepresentative(uscc: string, next: RepresentativeClaim): void;
  deregister(uscc: string): void;
}

interface Kept {
  readonly name: string;
  readonly representative: RepresentativeClaim | undefined;
}

const BORN: readonly LegalPersonClaim[] = [...SAMPLE_COMPANIES, CHANGING_COMPANY];

/** A register of invented legal persons, for demo and tests. Production refuses it by configuration. */
export function createSampleLegalPersonRegister(
  companies: readonly LegalPersonClaim[] = BORN,
): SampleLegalPersonRegister {
  const kept = new Map<string, Kept>(
    companies.map(({ uscc, name, representative }) => [uscc, { name, representative }]),
  );
  kept.set(DEREGISTERED_COMPANY.uscc, { name: DEREGISTERED_COMPANY.name, representative: undefined });

  return {
    name: 'sample-legal-person-register',

    async check({ uscc, name, representative }) {
      if (uscc === UNAVAILABLE_USCC) return 'unavailable';
      if (!MATCHED_ONLINE.has(uscc.slice(0, 2))) return 'unsupported';
      const found = kept.get(uscc);
      if (found === undefined || spellingOf(found.name) !== spellingOf(name)) return 'mismatch';
      if (found.representative === undefined) return 'deregistered';
      return isSame(found.representative, representative) ? 'match' : 'not_representative';
    },

    async statusOf(uscc) {
      if (uscc === UNAVAILABLE_USCC) return { state: 'unavailable' };
      const found = kept.get(uscc);
      if (found === undefined) return { state: 'unknown' };
      if (found.representative === undefined) return { state: 'deregistered' };
      const digest = representativeDigest(uscc, found.representative);
      return { state: 'active', name: found.name, representativeDigest: digest };
    },

    changeRepresentative(uscc, next) {
      const found = kept.get(uscc);
      if (found !== undefined) kept.set(uscc, { ...found, representative: next });
    },

    deregister(uscc) {
      const found = kept.get(uscc);
      if (found !== undefined) kept.set(uscc, { ...found, representative: undefined });
    },
  };
}

const isSame = (one: RepresentativeClaim, other: RepresentativeClaim): boolean =>
  one.documentType === other.documentType &&
  one.documentNumber === other.documentNumber &&
  spellingOf(one.name) === spellingOf(other.name);
