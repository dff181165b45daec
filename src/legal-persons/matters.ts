import { readFileSync, statSync } from 'node:fs';
import { z } from 'zod';
import { Fault } from '../shared/fault.ts';

/** What a mandate may be given for (事项), and the portals where it is done. `*`: at any portal a mandate names itself. */
export interface Matter {
  readonly id: string;
  readonly zh: string;
  readonly en: string;
  readonly portals: readonly string[];
}

export interface Matters {
  readonly all: readonly Matter[];
  find(id: string): Matter | undefined;
  /** Those of the given matters that are done at this portal, in the order given. */
  at(portal: string, ids: readonly string[]): readonly string[];
}

/** What a mandate covers: both lists sorted, without repetition, never empty. */
export interface Scope {
  readonly matters: readonly string[];
  readonly portals: readonly string[];
}

/**
 * `no_matter`, `no_portal`: an empty scope is nothing and is refused, never taken for everything. `portal_outside`: none of the
 * matters is done at that portal.
 */
export type ScopeRefusal = 'no_matter' | 'no_portal' | 'unknown_matter' | 'portal_outside';

export type ScopeOutcome =
  | { readonly ok: true; readonly scope: Scope }
  | { readonly ok: false; readonly reason: ScopeRefusal };

const ANY_PORTAL = '*';
const FILE_BYTES_MAX = 1_048_576;
const MATTERS_MAX = 2000;
const PORTALS_MAX = 100;
/** More than anybody could have read before signing. */
const SCOPE_MATTERS_MAX = 50;
const SCOPE_PORTALS_MAX = 50;

const title = z.string().trim().min(1).max(100);
const portal = z.union([z.literal(ANY_PORTAL), z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{2,63}$/)]);
const catalogue = z
  .array(
    z.strictObject({
      id: z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'must be lower-case letters, digits and hyphens'),
      zh: title,
      en: title,
      portals: z.array(portal).min(1).max(PORTALS_MAX),
    }),
  )
  .max(MATTERS_MAX)
  .refine((matters) => new Set(matters.map(({ id }) => id)).size === matters.length, 'has an id twice');

const SHIPPED = new URL('../../config/matters.json', import.meta.url);

/** The catalogue of the file at `path`; empty means the one we ship. Throws `Fault('internal')` with all that is wrong with it. */
export function loadMatters(path: string): Matters {
  const file = path === '' ? SHIPPED : path;
  let read: unknown;
  try {
    if (statSync(file).size > FILE_BYTES_MAX) throw new RangeError('too large');
    read = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Fault('internal', 'legalPersons.mattersFile cannot be read, is too large, or is not JSON.', {
      cause: error,
    });
  }
  const parsed = catalogue.safeParse(read);
  if (parsed.success) return createMatters(parsed.data);
  const faults = parsed.error.issues.map(({ path: at, message }) => `[${at.join('.')}] ${message}`);
  throw new Fault('internal', `legalPersons.mattersFile: ${faults.join('; ')}.`);
}

export function createMatters(all: readonly Matter[]): Matters {
  const byId = new Map(all.map((matter) => [matter.id, matter]));
  return {
    all,
    find: (id) => byId.get(id),
    at: (where, ids) => ids.filter((id) => isDoneAt(byId.get(id), where)),
  };
}

const isDoneAt = (matter: Matter | undefined, where: string): boolean =>
  matter?.portals.some((name) => name === where || name === ANY_PORTAL) === true;

/**
 * The scope of a mandate out of what somebody chose. Without portals it is those of the matters, by name: a portal that joins a
 * matter later is not covered by what was signed before.
 */
export function scopeOf(
  { all, find }: Matters,
  wanted: { readonly matters: readonly string[]; readonly portals?: readonly string[] | undefined },
): ScopeOutcome {
  const refuse = (reason: ScopeRefusal): ScopeOutcome => ({ ok: false, reason });
  const matters = sorted(wanted.matters);
  if (matters.length === 0 || matters.length > SCOPE_MATTERS_MAX) return refuse('no_matter');
  const chosen = all.filter(({ id }) => matters.includes(id));
  if (matters.some((id) => find(id) === undefined)) return refuse('unknown_matter');
  const named = chosen.flatMap(({ portals }) => portals.filter((name) => name !== ANY_PORTAL));
  const portals = sorted(wanted.portals === undefined ? named : wanted.portals);
  if (portals.length === 0 || portals.length > SCOPE_PORTALS_MAX) return refuse('no_portal');
  const covers = (where: string): boolean => chosen.some((matter) => isDoneAt(matter, where));
  if (portals.includes(ANY_PORTAL) || !portals.every(covers)) return refuse('portal_outside');
  return { ok: true, scope: { matters, portals } };
}

/** Whether everything of `inner` is in `outer`: what a sub-delegation must hold to. */
export const isWithin = (inner: Scope, outer: Scope): boolean =>
  inner.matters.every((id) => outer.matters.includes(id)) && inner.portals.every((id) => outer.portals.includes(id));

const sorted = (values: readonly string[]): readonly string[] => [...new Set(values)].sort();
