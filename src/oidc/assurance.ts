import type { Client, KoaContextWithOIDC } from 'oidc-provider';
import { type Ceremony, type Demand, nextStep, type Step } from '../sign-in/ceremony.ts';
import { ALLOWED, type Climber, type Ladder } from '../sign-in/ladder.ts';
import { type Level, levelLeft, type Proof, TOP_LEVEL } from '../sign-in/levels.ts';
import { statementOf } from '../sign-in/statement.ts';
import { cappedLevel, demandOf, minimumOf, type Vocabularies, vocabularyOf } from './acr-levels.ts';
import { merged, proofsIn } from './proven-sessions.ts';

/** What a login result holds beside the members the library knows. */
export interface ProvenLogin {
  readonly accountId: string;
  readonly proofs?: readonly Proof[];
  readonly waived?: boolean;
}

/** What a code states of the sign-in behind it. */
export interface CodeStatement {
  readonly acr: string;
  readonly amr: string[];
  readonly authTime: number;
}

/** The levels of authorization requests and of the tokens that came of them. */
export interface Assurance {
  /** What a request demands, from its parameters and the registration of its portal. */
  demandOf(params: Readonly<Record<string, unknown>>, client: Client): Demand;
  /** What is still missing before this request may have a code; asked once a request, whatever page or silence it came by. */
  stepOf(ctx: KoaContextWithOIDC): Promise<Step>;
  /** Undefined for a request that was not judged. `ceiling` is the level the mandate behind it allows at most. */
  statementOf(ctx: KoaContextWithOIDC, ceiling: string | undefined): CodeStatement | undefined;
  /**
   * What is left of the level a token was told, now that the identity is proven only so well; undefined when the portal wants more than
   * that today. `told` is missing where a token carries none.
   */
  stands(client: Client, ial: Climber['ial'], told?: string): { readonly acr: string | undefined } | undefined;
}

interface Judged {
  readonly ceremony: Ceremony;
  readonly step: Step;
}

export function createAssurance({
  ladder,
  scales,
}: {
  readonly ladder: Ladder;
  readonly scales: Vocabularies;
}): Assurance {
  const requests = new WeakMap<object, Promise<Judged>>();
  const judged = new WeakMap<object, Judged>();

  const judge = async (ctx: KoaContextWithOIDC): Promise<Judged> => {
    const { client, session, account, params, result } = ctx.oidc;
    if (client === undefined || params === undefined) throw new Error('a request without a client has no level');
    const demand = demandOf(params, client, scales);
    const login = result?.login as ProvenLogin | undefined;
    const personId = account?.accountId;
    const here = login !== undefined && login.accountId === personId ? (login.proofs ?? []) : [];
    const before = session === undefined ? [] : proofsIn(session);
    if (session !== undefined && personId !== undefined && here.length > 0) {
      session.proven = { ...session.proven, of: personId, proofs: merged(before, here) };
    }
    const asked = {
      prompt: 'login',
      startedBy: personId,
      expectsOther: false,
      wantsSwitch: false,
      waived: login?.waived === true,
      demand,
      // A sign-in is judged where it happens; what has passed that is a session like any other.
      risk: ALLOWED,
      address: ctx.ip,
    };
    const climber =
      personId === undefined ? undefined : { personId, ial: account?.ial as Climber['ial'], here, before };
    const ceremony = await ladder.ceremonyOf(asked, climber);
    const step = nextStep(ceremony);
    // From now on the session lives no longer than one of a member of staff may (E4).
    if (demand.staffOnly && step.state === 'done' && session !== undefined && personId !== undefined) {
      session.proven = { proofs: proofsIn(session), ...session.proven, of: personId, staff: true };
    }
    return { ceremony, step };
  };

  return {
    demandOf: (params, client) => demandOf(params, client, scales),
    async stepOf(ctx) {
      const found = requests.get(ctx.oidc) ?? judge(ctx);
      requests.set(ctx.oidc, found);
      const known = await found;
      judged.set(ctx.oidc, known);
      return known.step;
    },
    statementOf(ctx, ceiling) {
      const known = judged.get(ctx.oidc);
      const { client } = ctx.oidc;
      if (known === undefined || client === undefined) return undefined;
      const { level, amr, at } = statementOf(known.ceremony, cappedLevel(TOP_LEVEL, ceiling));
      if (known.step.state !== 'done' || level === undefined) return undefined;
      return { acr: vocabularyOf(client, scales).wordOf(level), amr: [...amr], authTime: at };
    },
    stands(client, ial, told) {
      const vocabulary = vocabularyOf(client, scales);
      const best: Level = vocabulary.levelOf(told) ?? TOP_LEVEL;
      const left = levelLeft(ladder.rules.table, best, ial);
      const counted = left && vocabulary.countsIdentity ? (Math.min(left, Math.max(1, ial)) as Level) : left;
      if (counted === undefined || counted < minimumOf(client)) return undefined;
      return { acr: told === undefined ? undefined : vocabulary.wordOf(counted) };
    },
  };
}
