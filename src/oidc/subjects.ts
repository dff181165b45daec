import type { Grant, KoaContextWithOIDC } from 'oidc-provider';
import type { Ledger, LedgerEvent } from '../ledger/ledger.ts';
import type { Acting, ActingSubject } from '../legal-persons/acting.ts';
import { asksForSubject, type Choice, type ChoiceOrigin, choicesAt, choose, SELF } from '../legal-persons/choice.ts';
import { nowSeconds } from '../shared/clock.ts';
import { requiredLevel } from '../sign-in/ceremony.ts';
import { TOP_LEVEL } from '../sign-in/levels.ts';
import { acceptedBy } from './accepted.ts';
import { cappedLevel } from './acr-levels.ts';
import { hintOf } from './acting-hint.ts';
import type { Assurance } from './assurance.ts';
import { type GrantMark, markOf } from './grant-mark.ts';
import { removeGrantSubject, saveGrantSubject } from './grant-subjects.ts';
import type { UnitOfWork } from './unit-of-work.ts';

/** What an interaction has settled: picked on the page, or found otherwise before the person consented to it. */
export interface PickedSubject {
  readonly acting_as: string;
  /** Who picked: another person who signs in meanwhile has picked nothing. */
  readonly account_id: string;
  readonly origin: ChoiceOrigin;
}

/** For whom authorization requests are made. */
export interface Subjects {
  /** The choice of the request under way, looked up once a request. Undefined while nobody is signed in. */
  choiceOf(ctx: KoaContextWithOIDC): Promise<Choice | undefined>;
  /** How a grant of this request is to be marked; undefined where nobody is asked or nothing is chosen. */
  markFor(ctx: KoaContextWithOIDC): GrantMark | undefined;
  /** Notes that the session's grant was made for somebody else: this request's takes its place. */
  replaces(ctx: KoaContextWithOIDC, grant: Grant): void;
  /** Something is missing still: the session keeps the grant it had. */
  postponed(ctx: KoaContextWithOIDC): void;
  /** The level whoever is acted for allows at most. */
  ceilingOf(ctx: KoaContextWithOIDC): string | undefined;
  /**
   * A code goes out: writes for whom, and ends what was granted for somebody else before, both in the transaction of the code.
   * Returns for whom, as `portal.entered` tells it.
   */
  entered(ctx: KoaContextWithOIDC, unit: UnitOfWork): Readonly<Record<string, string>>;
}

/** What is known of one request. */
interface Known {
  choice?: Promise<Choice>;
  found?: Choice;
  replaced?: Grant;
}

const OWN_BEHALF: Choice = { state: 'chosen', answer: { actingAs: SELF }, origin: 'only' };

export interface SubjectSources {
  readonly acting: Acting;
  readonly ledger: Ledger;
  readonly assurance: Pick<Assurance, 'demandOf'>;
}

export function createSubjects({ acting, ledger, assurance }: SubjectSources): Subjects {
  const requests = new WeakMap<object, Known>();
  const knownOf = ({ oidc }: KoaContextWithOIDC): Known => {
    const known = requests.get(oidc) ?? {};
    requests.set(oidc, known);
    return known;
  };

  /** What was chosen last in the sign-in session at this portal, unless the portal asks to choose anew. */
  const keptIn = async ({ oidc }: KoaContextWithOIDC): Promise<string | undefined> => {
    const { client, session, account, prompts, provider } = oidc;
    const grantId = session?.grantIdFor(client?.clientId ?? '');
    if (!grantId || prompts.has('select_account')) return undefined;
    const grant = await provider.Grant.find(grantId);
    const mark = grant?.accountId === account?.accountId && grant !== undefined ? markOf(grant) : undefined;
    return mark === undefined || mark.origin === 'only' ? undefined : mark.actingAs;
  };

  const look = async (ctx: KoaContextWithOIDC, personId: string): Promise<Choice> => {
    const { client, params, result } = ctx.oidc;
    if (client === undefined) return OWN_BEHALF;
    const accepted = acceptedBy(client);
    if (!asksForSubject(accepted)) return OWN_BEHALF;
    const required = requiredLevel(assurance.demandOf(params ?? {}, client));
    const reaches = (ceiling: string | undefined): boolean => cappedLevel(TOP_LEVEL, ceiling) >= required;
    const all = await acting.subjectsOf(personId, client.clientId);
    const choices = choicesAt(
      accepted,
      all.filter(({ mandate }) => reaches(mandate?.acrMax)),
    );
    const picked = result?.choose_subject as PickedSubject | undefined;
    const choice = choose(choices, {
      picked: picked?.account_id === personId ? picked.acting_as : undefined,
      requested: hintOf(ctx),
      kept: await keptIn(ctx),
    });
    return choice.state === 'chosen' && choice.origin === 'page' && picked !== undefined
      ? { ...choice, origin: picked.origin }
      : choice;
  };

  const chosenOf = (ctx: KoaContextWithOIDC) => {
    const { found } = knownOf(ctx);
    return found?.state === 'chosen' ? found : undefined;
  };

  return {
    async choiceOf(ctx) {
      const personId = ctx.oidc.account?.accountId;
      if (personId === undefined) return undefined;
      const known = knownOf(ctx);
      known.choice ??= look(ctx, personId);
      known.found = await known.choice;
      return known.found;
    },
    markFor(ctx) {
      const chosen = chosenOf(ctx);
      const { client } = ctx.oidc;
      if (chosen === undefined || client === undefined || !asksForSubject(acceptedBy(client))) return undefined;
      return { actingAs: chosen.answer.actingAs, origin: chosen.origin };
    },
    replaces(ctx, grant) {
      knownOf(ctx).replaced = grant;
    },
    postponed(ctx) {
      const { replaced } = knownOf(ctx);
      const { session, client } = ctx.oidc;
      if (replaced !== undefined && client !== undefined) session?.grantIdFor(client.clientId, replaced.jti);
    },
    ceilingOf: (ctx) => chosenOf(ctx)?.answer.subject?.mandate?.acrMax,
    entered(ctx, unit) {
      const chosen = chosenOf(ctx);
      const { replaced } = knownOf(ctx);
      const { client, session, entities } = ctx.oidc;
      const { AuthorizationCode: code, Grant: grant } = entities;
      if (!chosen || !client || !grant || !code?.accountId) return {};
      if (replaced !== undefined) endReplaced(unit, replaced.jti);
      const { subject } = chosen.answer;
      const details = subject === undefined ? {} : subjectDetails(subject);
      const event: LedgerEvent = {
        type: 'subject.chosen',
        personId: code.accountId,
        clientId: client.clientId,
        sessionUid: code.sessionUid,
        address: unit.address,
        userAgent: unit.userAgent,
        correlation: unit.requestId,
        details: { origin: chosen.origin, ...details },
      };
      if (subject === undefined) {
        if (chosen.origin === 'page' || replaced !== undefined) unit.also((tx) => ledger.append(tx, event));
        return details;
      }
      const use = { personId: code.accountId, clientId: client.clientId, subject };
      const expiresAt = nowSeconds() + grant.remainingTTL;
      unit.also(async (tx) => {
        const entry = { ...use, grantId: grant.jti, sessionUid: session?.uid ?? '', expiresAt };
        if (await saveGrantSubject(tx, entry)) await ledger.append(tx, event);
        await acting.noteUse(tx, use);
      });
      return details;
    },
  };
}

/** For whom, as the ledger tells it: ids alone, no name and no code. */
export const subjectDetails = (subject: ActingSubject): Record<string, string> => ({
  ...(subject.kind === 'legal' ? { legalPerson: subject.legalPersonId } : { represented: subject.personId }),
  role: subject.role,
  ...(subject.mandate === undefined ? {} : { mandate: subject.mandate.id }),
});

function endReplaced(unit: UnitOfWork, grantId: string): void {
  unit.change({ kind: 'revokeGrant', grantId });
  unit.change({ kind: 'destroy', model: 'Grant', id: grantId });
  unit.also(async (tx) => {
    await removeGrantSubject(tx, grantId);
  });
}
