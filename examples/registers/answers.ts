import { z } from 'zod';
import type { IdentitySource } from '../../src/proofing/identity-source.ts';
import type { LegalPersonRegister } from '../../src/proofing/legal-person-register.ts';

/** The registers behind the adapter; here the samples, in a real one a call to the authority's own interface. */
export interface Authorities {
  readonly population: IdentitySource;
  readonly legalPersons: LegalPersonRegister;
}

const requestId = z.string().min(16).max(64);
const name = z.string().min(1).max(200);
const documentType = z.string().max(40);
const number = z.string().max(40);
const uscc = z.string().length(18);

const PERSON = z.looseObject({ requestId, name, documentType, issuer: z.string().max(3), number });
const COMPANY = z.looseObject({
  requestId,
  uscc,
  name,
  representative: z.object({ name, documentType, documentNumber: number }),
});
const STANDING = z.looseObject({ requestId, uscc });

/** The answer to one question, or undefined when the path or the form of the body is not known. */
export async function answerTo(path: string, body: unknown, authorities: Authorities): Promise<object | undefined> {
  const { population, legalPersons } = authorities;
  if (path === '/persons/check') {
    const question = PERSON.safeParse(body).data;
    if (question === undefined) return undefined;
    // This sample knows holders of the resident ID card alone; an honest register does not guess about others.
    const known = question.documentType === 'resident_id_card' && question.issuer === 'CN';
    const verdict = known ? await population.check({ idNumber: question.number, name: question.name }) : 'unavailable';
    return { requestId: question.requestId, verdict };
  }
  if (path === '/legal-persons/check') {
    const question = COMPANY.safeParse(body).data;
    return question && { requestId: question.requestId, verdict: await legalPersons.check(question) };
  }
  if (path === '/legal-persons/status') {
    const question = STANDING.safeParse(body).data;
    return question && { requestId: question.requestId, standing: await legalPersons.statusOf(question.uscc) };
  }
  return undefined;
}
