import type { Context } from 'koa';
import { shownName } from '../relying-parties/relying-party.ts';
import type { RelyingPartyRecord } from '../relying-parties/schema.ts';
import type { Language } from '../web/language.ts';
import type { LegalBasis } from '../web/pages.ts';
import { CATALOGUES } from '../web/render.ts';
import type { CeremonyRequest, ConsentNotice } from './interactions.ts';
import type { SignInSources } from './step.ts';

type Record = RelyingPartyRecord | undefined;

/** What a portal says of itself, as a page in this language shows it. A portal that names no basis acts on consent. */
export function termsShown(
  record: Record,
  language: Language,
): { readonly purpose?: string; readonly legalBasis: LegalBasis; readonly noticeVersion?: string } {
  const purpose = (language === 'en' ? record?.['purpose#en'] : undefined) ?? record?.purpose;
  return {
    ...(purpose === undefined ? {} : { purpose }),
    legalBasis: record?.legal_basis ?? 'consent',
    ...(record?.notice_version === undefined ? {} : { noticeVersion: record.notice_version }),
  };
}

interface Asked {
  readonly scopes: readonly string[];
  readonly claims: readonly string[];
}

const known = <Value>(texts: Readonly<{ [name: string]: Value }>, name: string): Value | undefined =>
  Object.hasOwn(texts, name) ? texts[name] : undefined;

/**
 * The words of the consent page, a line each, as the person read them: what is kept with the consent as its notice. It changes with the
 * wording of the page, and with nothing that differs from person to person. Pure.
 */
export function consentText(record: Record, clientId: string, { scopes, claims }: Asked, language: Language): string {
  const { consent: t, life } = CATALOGUES[language];
  const portal = record === undefined ? clientId : shownName(record, language);
  const { purpose, legalBasis, noticeVersion } = termsShown(record, language);
  const lines = [
    t.title(portal),
    t.lead(portal),
    ...(purpose === undefined ? [] : [`${life.consent.purpose}: ${purpose}`]),
    `${life.consent.basis}: ${life.consent.bases[legalBasis]}`,
    ...(noticeVersion === undefined ? [] : [`${life.consent.version}: ${noticeVersion}`]),
    ...scopes.map((scope) => {
      const text = known(t.scopes, scope);
      return text === undefined ? scope : `${text.title}: ${text.detail}`;
    }),
    ...claims.map((claim) => known(t.claimTitles, claim) ?? claim),
    t.sensitiveLead,
    t.revocable,
  ];
  return lines.join('\n');
}

/** The notice of the page this request shows. */
export async function noticeOf(ctx: Context, request: CeremonyRequest, sources: SignInSources): Promise<ConsentNotice> {
  const { language } = sources.renderer.preferences(ctx, request.uiLocales);
  const record = (await sources.relyingParties.find(request.clientId))?.record;
  const asked = { scopes: request.missingScopes, claims: request.missingClaims };
  return {
    text: consentText(record, request.clientId, asked, language),
    language,
    channel: 'web',
    terms: {
      purpose: record?.purpose,
      'purpose#en': record?.['purpose#en'],
      legal_basis: record?.legal_basis,
      notice_version: record?.notice_version,
    },
  };
}
