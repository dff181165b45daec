import { z } from 'zod';
import { CallFailure, type CallTrouble } from '../../calling/call-failure.ts';
import type { GuardedCalls } from '../../calling/guarded-calls.ts';
import { answerIn } from '../../calling/json-exchange.ts';
import type { Fault } from '../../shared/fault.ts';
import { randomToken } from '../../shared/random.ts';
import type { SignatureServerTransport } from './signature-server-transport.ts';

/** Questions to a device behind HTTP: one JSON text each, an id that the answer repeats, and refusals that are answers. */
export interface Questions {
  /** Rejects with the fault of `away` unless the answer has this form and is genuine. */
  ask<Answer>(
    path: string,
    question: Readonly<Record<string, unknown>>,
    form: z.ZodType<Answer>,
    isGenuine?: (answer: Answer) => boolean,
  ): Promise<Answer>;
}

export interface QuestionsOptions {
  /** The address the paths stand under, without a slash at the end. */
  readonly url: string;
  readonly transport: SignatureServerTransport;
  readonly calls: GuardedCalls;
  /** What the device may say in the place of an answer. */
  readonly refusals: readonly [string, ...string[]];
  /** The fault of a question that was not answered; `what` completes a sentence that begins with the device. */
  readonly away: (what: string, cause?: unknown) => Fault;
}

const NONCE_CHARACTERS = 32;

/** A refusal of the device is an answer; one that is not genuine is a failure of it. */
export function createQuestions({ url, transport, calls, refusals, away }: QuestionsOptions): Questions {
  const refusal = z.looseObject({ refused: z.enum(refusals).optional() });
  return {
    async ask(path, question, form, isGenuine = () => true) {
      const requestId = randomToken(NONCE_CHARACTERS);
      const call = async () => {
        const text = await transport(url + path, requestId, JSON.stringify({ requestId, ...question }));
        const { refused } = answerIn(text, requestId, refusal);
        if (refused !== undefined) return { refused };
        const answer = answerIn(text, requestId, form);
        if (!isGenuine(answer)) throw new CallFailure('signature');
        return { answer };
      };
      const outcome = await calls.run(call).catch((error: unknown) => {
        throw away(`could not be used: ${troubleOf(error)}`, error);
      });
      if (!outcome.started) throw away(outcome.reason === 'busy' ? 'has no place free' : 'is left alone for a while');
      if ('refused' in outcome.value) throw away(`refuses ${path}: ${outcome.value.refused}`);
      return outcome.value.answer;
    },
  };
}

export const troubleOf = (error: unknown): CallTrouble | 'internal' =>
  error instanceof CallFailure ? error.trouble : 'internal';
