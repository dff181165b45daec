import type { Acting, ActingMandate, ActingSubject, ActingUse, LegalSubject } from '../../src/legal-persons/acting.ts';
import { newId } from '../../src/shared/ids.ts';

/** Companies of these tests. The codes are synthetic: no such district exists. */
export const TEA = { uscc: '913399000000003770', name: '云山茶业有限公司', legalPersonId: 'lgp_tea' } as const;
export const BRIDGES = {
  uscc: '91339900000000019Y',
  name: '云山桥梁工程有限公司',
  legalPersonId: 'lgp_bridges',
} as const;
/** A company nobody here has a part in. */
export const STRANGERS = { uscc: '92339900MA9X00011Q', name: '别人的小店', legalPersonId: 'lgp_strangers' } as const;

type Company = typeof TEA | typeof BRIDGES | typeof STRANGERS;

interface Held {
  readonly personId: string;
  readonly subject: ActingSubject;
}

/** For whom people may act, as a list in memory: small enough to be right, and obeying the contract of `Acting`. */
export class ListedActing implements Acting {
  readonly #held = new Map<string, Held>();
  readonly uses: ActingUse[] = [];

  async subjectsOf(personId: string): Promise<readonly ActingSubject[]> {
    return [...this.#held.values()].filter((held) => held.personId === personId).map(({ subject }) => subject);
  }

  async find(personId: string, _clientId: string, ref: string): Promise<ActingSubject | undefined> {
    const held = this.#held.get(ref);
    return held?.personId === personId ? held.subject : undefined;
  }

  async noteUse(_tx: unknown, use: ActingUse): Promise<void> {
    this.uses.push(use);
  }

  /** Gives a person a post, or with `mandate` a mandate; resolves with its reference. */
  add(personId: string, company: Company, more: Partial<LegalSubject> = {}): string {
    const ref = newId('pst');
    const { legalPersonId, uscc, name } = company;
    const category = uscc.slice(0, 2);
    const role = more.mandate === undefined ? 'legal_representative' : 'agent';
    this.put(personId, { kind: 'legal', ref, role, legalPersonId, uscc, name, category, ...more });
    return ref;
  }

  put(personId: string, subject: ActingSubject): void {
    this.#held.set(subject.ref, { personId, subject });
  }

  /** What ended is found no more; nobody is told. */
  remove(ref: string): void {
    this.#held.delete(ref);
  }
}

export const mandateOf = (id: string, more: Partial<ActingMandate> = {}): ActingMandate => ({
  id,
  matters: ['tax', 'company-changes'],
  validUntil: 4_000_000_000,
  ...more,
});
