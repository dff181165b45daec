import { BoundedMap } from '../shared/bounded-map.ts';
import { contentPolicy, formTarget } from './security-headers.ts';

/** What a page says of the address at which a sign-in ends. */
export interface AnswerTarget {
  /** As a person reads it; empty for an address without one. */
  readonly host: string;
  /** The policy that lets an answer to a form go there, which browsers check along the whole chain; undefined where none may. */
  readonly policy: string | undefined;
}

/** A province has some thousand portals with an address or two each, and those in use are far fewer. */
const KEPT_MAX = 2048;
const kept = new BoundedMap<string, AnswerTarget>(KEPT_MAX);

/** Of the redirect URI of a request, which the protocol has found registered. Kept, as each page of a sign-in asks, and to take an address apart is dear. */
export function answerTarget(redirectUri: string): AnswerTarget {
  const known = kept.get(redirectUri);
  if (known !== undefined) return known;
  const target = formTarget(redirectUri);
  const made = {
    host: URL.parse(redirectUri)?.host ?? '',
    policy: target === undefined ? undefined : contentPolicy([target]),
  };
  kept.set(redirectUri, made);
  return made;
}
