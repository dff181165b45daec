import { nowMs } from '../../shared/clock.ts';
import { newId } from '../../shared/ids.ts';
import type { Incident } from './incident.ts';
import type { About, Bilingual, Rule, RuleSettings } from './rule.ts';
import type { OwedResponse } from './watch-cursor.ts';

/** Who is to prove more before the next sign-in. */
export type ChallengeTarget = { readonly personId: string } | { readonly network: string };

export interface Notice {
  /** What was noticed, in both languages, without any personal data. */
  readonly title: Bilingual;
  /** Names the incident; the same for every repetition of this notice. */
  readonly incident: string;
}

/**
 * What the composition lets a detection do. Each may be called again for the same incident and must then change nothing more.
 * A rejection is tried again.
 */
export interface Responses {
  notify(personId: string, notice: Notice): Promise<void>;
  challenge(target: ChallengeTarget, seconds: number): Promise<void>;
  lock(personId: string, incident: string): Promise<void>;
  endSessions(personId: string): Promise<void>;
}

const ATTEMPTS_MAX = 10;
const PAUSE_MS = 1000;
const PAUSE_MS_MAX = 60_000;

/** What is owed for a finding by the settings; undefined for an alert alone, also where there is nobody it could be done to. */
export function owedFor(
  rule: Rule,
  { response, windowSeconds }: RuleSettings,
  about: About,
  incident: Incident,
): OwedResponse | undefined {
  if (response === 'alert') return undefined;
  const reaches = about.person !== undefined || (response === 'challenge' && about.network !== undefined);
  if (!reaches) return undefined;
  return {
    id: newId('rsp'),
    incident: incident.id,
    rule: rule.id,
    kind: response,
    about,
    // Until the rule may fire again: between the two nobody would be challenged.
    seconds: Math.max(windowSeconds, rule.cooldownSeconds),
    attempts: 0,
    dueMs: 0,
  };
}

/** Does what is owed. Rejects when it could not be done. */
export async function respond(responses: Responses, owed: OwedResponse, title: Bilingual): Promise<void> {
  const { person, network } = owed.about;
  if (owed.kind === 'challenge') {
    if (person !== undefined) await responses.challenge({ personId: person }, owed.seconds);
    else if (network !== undefined) await responses.challenge({ network }, owed.seconds);
    return;
  }
  if (person === undefined) return;
  if (owed.kind === 'notify') await responses.notify(person, { title, incident: owed.incident });
  else if (owed.kind === 'lock') await responses.lock(person, owed.incident);
  else await responses.endSessions(person);
}

/** When a response that failed is tried again; undefined when that was the last time. */
export function putOff(owed: OwedResponse): OwedResponse | undefined {
  const attempts = owed.attempts + 1;
  if (attempts >= ATTEMPTS_MAX) return undefined;
  return { ...owed, attempts, dueMs: nowMs() + Math.min(PAUSE_MS_MAX, PAUSE_MS * 2 ** attempts) };
}
