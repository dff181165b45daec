import { createHash } from 'node:crypto';
import { type Browser, type Form, formsOf } from './browser.ts';
import type { Answer, Connection } from './connection.ts';
import type { Person, Running } from './peers.ts';

const STEPS_MAX = 16;

/** One verifier for every run: making it is no work of the server's (RFC 7636 section 4). */
export const PKCE_VERIFIER = 'a-verifier-of-the-benchmark-that-is-long-enough-for-rfc-7636';
export const PKCE_CHALLENGE = createHash('sha256').update(PKCE_VERIFIER).digest('base64url');

export interface Outcome {
  readonly code: string;
  readonly requestCount: number;
}

/** The authorization request of the bench portal, as a path with its query. */
export function authorizationPath(server: Running, parameters: Readonly<Record<string, string>>): string {
  const query = new URLSearchParams({
    client_id: server.client.id,
    redirect_uri: server.client.redirectUri,
    response_type: 'code',
    scope: 'openid profile',
    state: 'a-state-of-the-benchmark',
    nonce: 'a-nonce-of-the-benchmark',
    code_challenge: PKCE_CHALLENGE,
    code_challenge_method: 'S256',
    ...parameters,
  });
  return `${server.endpoints.authorization}?${query}`;
}

/**
 * Follows an authorization request to its code: every redirect, and every page answered as a person would who signs in
 * and agrees. Throws when it ends anywhere else than at the portal with a code.
 */
export async function authorize(server: Running, browser: Browser, start: string, person?: Person): Promise<Outcome> {
  return goOn(server, browser, { path: start, answer: await browser.get(start) }, person);
}

/** The same from an answer on: `path` is where it came from. */
export async function goOn(
  server: Running,
  browser: Browser,
  from: { readonly path: string; readonly answer: Answer },
  person?: Person,
): Promise<Outcome> {
  let { path, answer } = from;
  for (let requestCount = 1; requestCount <= STEPS_MAX; requestCount += 1) {
    const location = answer.header('location');
    if (location?.startsWith(server.client.redirectUri)) {
      const code = new URL(location).searchParams.get('code');
      if (code === null) throw new Error(`${server.name}: the portal was sent no code: ${location}`);
      return { code, requestCount };
    }
    if (location !== undefined) {
      const next = browser.pathOf(location);
      if (next === undefined) throw new Error(`${server.name}: ${path} leads to ${location}`);
      path = next;
      answer = await browser.get(path);
    } else {
      const { action, fields } = fillIn(server, answer, path, person);
      path = action;
      answer = await browser.post(path, fields);
    }
  }
  throw new Error(`${server.name}: no code after ${STEPS_MAX} requests`);
}

interface FilledForm {
  readonly action: string;
  readonly fields: Readonly<Record<string, string>>;
}

function fillIn(server: Running, answer: Answer, path: string, person: Person | undefined): FilledForm {
  const forms = answer.status === 200 ? formsOf(answer.text) : [];
  const having = (...names: readonly string[]): Form | undefined =>
    forms.find((form) => names.every((name) => form.fields.has(name)));
  const signIn = person && having('identifier', 'password');
  const second = person?.code && having('factor', 'code');
  // The sign-in page may offer a way out under the same name; that is not the question of consent.
  const consent = having('password') || having('code') ? undefined : having('decision');
  const form = signIn ?? second ?? consent;
  if (!form) {
    const excerpt = answer.text.replace(/<style[\s\S]*?<\/style>/g, '').slice(0, 600);
    throw new RefusedPage(
      answer.status,
      FAULT_NUMBER.exec(answer.text)?.[1],
      `${server.name}: no way on from ${path} (${answer.status}): ${excerpt}`,
    );
  }
  const entered = (): Readonly<Record<string, string>> => {
    if (signIn) return { identifier: person.identifier, password: person.password };
    return second ? { code: person.code() } : { decision: 'allow' };
  };
  const action = form.action === '' ? path : new URL(form.action, new URL(path, server.origin)).pathname;
  return { action, fields: { ...form.hidden, ...entered() } };
}

const FAULT_NUMBER = /class="number">(\d{4})</;

/** A page that is neither the sign-in form nor the question of consent; `status` tells a refusal from a surprise. */
export class RefusedPage extends Error {
  readonly status: number;
  /** The number of the fault in the catalogue, where the page shows one. */
  readonly fault: string | undefined;

  constructor(status: number, fault: string | undefined, message: string) {
    super(message);
    this.name = 'RefusedPage';
    this.status = status;
    this.fault = fault;
  }
}

/** Authorization header of the bench portal (RFC 6749 section 2.3.1). */
export function basicCredentials({ client }: Running): string {
  const pair = `${encodeURIComponent(client.id)}:${encodeURIComponent(client.secret)}`;
  return `Basic ${Buffer.from(pair).toString('base64')}`;
}

/** A form-encoded request of the bench portal to one of the endpoints it calls directly, as finished text. */
export function portalRequest(server: Running, path: string, fields: Readonly<Record<string, string>>): string {
  const body = new URLSearchParams(fields).toString();
  return (
    `POST ${path} HTTP/1.1\r\nHost: ${server.origin.host}\r\nAuthorization: ${basicCredentials(server)}\r\n` +
    `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  );
}

/** Redeems a code; gives the token response. */
export async function redeem(server: Running, connection: Connection, code: string): Promise<Answer> {
  const fields = {
    grant_type: 'authorization_code',
    code,
    redirect_uri: server.client.redirectUri,
    code_verifier: PKCE_VERIFIER,
  };
  return expectOk(await connection.exchange(portalRequest(server, server.endpoints.token, fields)), 'access_token');
}

/** The answer itself if it is a success that mentions `member`; otherwise throws with an excerpt. */
export function expectOk(answer: Answer, member: string): Answer {
  if (answer.status >= 200 && answer.status < 300 && answer.bytes.includes(member)) return answer;
  throw new Error(`status ${answer.status}, expected a success with ${member}: ${answer.text.slice(0, 300)}`);
}

/** One string member of a JSON answer, without parsing the rest. */
export function memberOf(answer: Answer, member: string): string {
  const found = new RegExp(`"${member}" *: *"([^"]+)"`).exec(answer.text)?.[1];
  if (found === undefined) throw new Error(`the answer has no ${member}: ${answer.text.slice(0, 300)}`);
  return found;
}
