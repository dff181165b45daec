import type { Captcha } from './captcha.ts';
import type { ProofOfWork, Puzzle } from './proof-of-work.ts';
import type { Suspicion } from './suspicion.ts';

/** What came with a form: the solution of a puzzle, or a picture's token and what was read from it. */
export interface Passage {
  readonly proof?: string | undefined;
  readonly captcha?: string | undefined;
  readonly captchaAnswer?: string | undefined;
}

/** What a page asks of a stranger: work for the script, and a captcha in its place. */
export interface Asked {
  readonly puzzle: Puzzle;
  readonly captcha: string;
}

/** `quiet`: nothing is asked for; `proven`: what was asked for has come; `unproven`: it has not. */
export type GateVerdict = 'quiet' | 'proven' | 'unproven';

/**
 * Stands before everything that costs a hash, a message or a look into a register. On a quiet day it is open and nobody sees it; under suspicion a
 * stranger's browser has to work first. What is checked here says nothing about any account.
 */
export interface Gate {
  /** What the page for this address has to ask for; undefined on a quiet day. */
  ask(address: string): Promise<Asked | undefined>;
  judge(address: string, passage: Passage): Promise<GateVerdict>;
  /** Whether accounts are being tried from this address, its network, or everywhere. */
  isSuspicious(address: string): Promise<boolean>;
  /** Somebody failed behind the gate: that makes the next suspicious. */
  failed(address: string): Promise<void>;
}

export function createGate({
  suspicion,
  proofs,
  captcha,
}: {
  readonly suspicion: Suspicion;
  readonly proofs: ProofOfWork;
  readonly captcha: Captcha;
}): Gate {
  const isProven = async ({ proof, captcha: token, captchaAnswer }: Passage): Promise<boolean> => {
    if (proof !== undefined && proof !== '' && (await proofs.accepts(proof))) return true;
    return token !== undefined && captchaAnswer !== undefined && captcha.accepts(token, captchaAnswer);
  };
  return {
    failed: suspicion.failed,
    isSuspicious: async (address) => (await suspicion.of(address)).reasons.length > 0,
    async ask(address) {
      const { reasons, weight } = await suspicion.of(address);
      if (reasons.length === 0) return undefined;
      return { puzzle: await proofs.issue(weight), captcha: captcha.issue() };
    },
    async judge(address, passage) {
      const { reasons } = await suspicion.of(address);
      if (reasons.length === 0) return 'quiet';
      if (await isProven(passage)) return 'proven';
      await suspicion.failed(address);
      return 'unproven';
    },
  };
}
