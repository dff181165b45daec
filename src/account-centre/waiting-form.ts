import { z } from 'zod';
import type { HiddenField } from '../web/pages-account.ts';

const FIELDS_KEPT_MAX = 250;
const KEPT = 'kept.';
const KEPT_NAME = /^kept\.[A-Za-z0-9][A-Za-z0-9._-]{0,80}$/;

/**
 * The addresses a proof may lead to: our own pages of the account centre, in plain letters. What could be read as another host, a
 * climb out of the account or a way around a check does not fit (A26).
 */
const OWN_PAGE = /^\/account(?:\/[A-Za-z0-9_-]{1,64}){0,4}(?:\?[A-Za-z0-9_.=&-]{1,256})?$/;

/** The page of ours that an address names; the overview for everything else. */
export const ownPage = (address: unknown): string =>
  typeof address === 'string' && OWN_PAGE.test(address) ? address : '/account';

/**
 * Where somebody goes once they have proven who they are; and a form they had sent when the proof had grown old. It is kept in the
 * pages that ask for a new one and nowhere else, so that nothing is typed twice. A password is never kept.
 */
export interface Waiting {
  readonly next: string;
  readonly isForm: boolean;
  readonly kept: readonly HiddenField[];
}

/** Nothing waits but a page. */
export const waitingFor = (next: string): Waiting => ({ next, isForm: false, kept: [] });

/** The form that was sent to `path` with these values. */
export function waitingForm(path: string, values: Readonly<Record<string, unknown>>): Waiting {
  const kept = Object.entries(values).flatMap(([name, value]) =>
    typeof value === 'string' && name !== 'form_token' ? [{ name, value }] : [],
  );
  return { next: path, isForm: true, kept };
}

const text = (max: number) => z.string().max(max);

/** The schema of a form that proves something, with whatever is kept of a form that waits. */
export const formWith = <Proof extends z.ZodRawShape>(proof: Proof) => {
  const fields = { form_token: text(128), next: text(512), send: z.literal('form').optional(), ...proof };
  return z
    .object(fields)
    .catchall(text(8192))
    .refine((values) => {
      const others = Object.keys(values).filter((name) => !Object.hasOwn(fields, name));
      return others.length <= FIELDS_KEPT_MAX && others.every((name) => KEPT_NAME.test(name));
    });
};

/** What waits, as hidden fields of a page that asks for a proof. */
export const hiddenOf = ({ next, isForm, kept }: Waiting): readonly HiddenField[] => [
  { name: 'next', value: next },
  ...(isForm ? [{ name: 'send', value: 'form' }] : []),
  ...kept.map(({ name, value }) => ({ name: KEPT + name, value })),
];

/** What waits, out of the fields of such a page. */
export function waitingIn(values: Readonly<Record<string, unknown>>): Waiting {
  const kept = Object.entries(values).flatMap(([name, value]) =>
    name.startsWith(KEPT) && typeof value === 'string' ? [{ name: name.slice(KEPT.length), value }] : [],
  );
  return { next: ownPage(values.next), isForm: values.send === 'form', kept };
}
