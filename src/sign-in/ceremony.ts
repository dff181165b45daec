/** Everything the next step of a sign-in depends on. */
export interface Ceremony {
  /** What the protocol policy misses: `login`, `select_account`, `choose_subject` or `consent`. */
  readonly prompt: string;
  /** The portal's own `prompt` values: `login` forbids going on with a session that is there already. */
  readonly requestedPrompts: readonly string[];
  readonly reasons: readonly string[];
  /** Who was signed in when the request arrived, and who is now, in whichever window. */
  readonly startedBy: string | undefined;
  readonly signedIn: string | undefined;
  /** The person has just said that they want to be somebody else. */
  readonly wantsSwitch: boolean;
}

export type Step = 'identify' | 'continue_as' | 'choose_subject' | 'consent' | { readonly refuse: string };

/** Reasons for which a session, however fresh, is no answer: a new proof was asked for. */
const FRESH_PROOF_REASONS = ['login_prompt', 'max_age'];
/** Reasons for which the session is somebody else's than the portal asked for. */
const OTHER_PERSON_REASONS = ['id_token_hint', 'claims_id_token_sub_value'];

/**
 * What is still missing, in the order a citizen meets it. Pure: this function and its table of cases are the whole policy of
 * the pages; each page only renders one step, and every proof returns here.
 */
export function nextStep(ceremony: Ceremony): Step {
  const { prompt, signedIn, startedBy, wantsSwitch } = ceremony;
  if (prompt === 'choose_subject' || prompt === 'consent') {
    // Both belong to the person they were asked of: if another signed in meanwhile, the request is over.
    return signedIn !== undefined && signedIn === startedBy ? prompt : { refuse: 'session_changed' };
  }
  if (wantsSwitch || signedIn === undefined) return 'identify';
  if (prompt === 'select_account') return 'continue_as';
  if (prompt !== 'login') return { refuse: 'unknown_prompt' };
  const needsFreshProof =
    ceremony.requestedPrompts.includes('login') || intersects(ceremony.reasons, FRESH_PROOF_REASONS);
  if (needsFreshProof || intersects(ceremony.reasons, OTHER_PERSON_REASONS)) return 'identify';
  // A session began in another window after this request had arrived: ask before using it.
  return 'continue_as';
}

const intersects = (left: readonly string[], right: readonly string[]): boolean =>
  left.some((entry) => right.includes(entry));
