import type { AdapterPayload } from 'oidc-provider';
import type { Sealer } from '../crypto/sealing.ts';

/**
 * A portal may name the person it expects (`login_hint`, OpenID Connect Core 3.1.2.1), and most name them by ID number. What waits for
 * a sign-in in the store must not be readable in a copy of it (H5), so the hint is sealed for as long as it lies there.
 */
export interface SealedHints {
  /** The payload as it may be stored. Returns the same object when there is no hint in it. */
  seal(payload: AdapterPayload, key: string): AdapterPayload;
  /** The payload as the library wrote it, but for what it never reads back. */
  open(payload: AdapterPayload, key: string): AdapterPayload;
}

const MARK = 'sealed:';
const HINT = '"login_hint"';

/** Interactions hold the parameters of a request, pushed requests hold them inside an unsigned or signed JWT. */
export function createSealedHints(sealer: Sealer): SealedHints {
  const sealText = (text: string, context: string): string =>
    MARK + Buffer.from(sealer.seal(text, context)).toString('base64');
  const openText = (text: string, context: string): string =>
    sealer.unseal(Buffer.from(text.slice(MARK.length), 'base64'), context);
  const contextOf = (key: string): string => `artifacts:login_hint:${key}`;
  const isSealed = (value: unknown): value is string => typeof value === 'string' && value.startsWith(MARK);

  return {
    seal(payload, key) {
      const { params, request } = payload;
      const hint = params?.login_hint;
      if (typeof hint === 'string') {
        const sealed = { ...params, login_hint: sealText(hint, contextOf(key)) };
        return { ...payload, ...withoutHint(payload.prompt), params: sealed };
      }
      if (typeof request === 'string' && hidesHint(request)) {
        return { ...payload, request: sealText(request, contextOf(key)) };
      }
      return payload;
    },
    open(payload, key) {
      const { params, request } = payload;
      if (isSealed(params?.login_hint)) {
        return { ...payload, params: { ...params, login_hint: openText(params.login_hint, contextOf(key)) } };
      }
      return isSealed(request) ? { ...payload, request: openText(request, contextOf(key)) } : payload;
    },
  };
}

/** The library repeats the hint in the details of a prompt, where nobody reads it. */
function withoutHint(prompt: AdapterPayload['prompt']): Pick<AdapterPayload, 'prompt'> {
  if (prompt?.details?.login_hint === undefined) return {};
  const { login_hint: _hint, ...details } = prompt.details;
  return { prompt: { ...prompt, details } };
}

/** Whether the claims of a JWT name a login_hint. What cannot be read is sealed as well. */
function hidesHint(jwt: string): boolean {
  const claims = jwt.split('.')[1];
  if (claims === undefined) return true;
  const text = Buffer.from(claims, 'base64url').toString('utf8');
  // A portal may write the name of a claim in escapes; what it signed is kept as it was sent.
  return text.includes(HINT) || text.includes('\\u');
}
