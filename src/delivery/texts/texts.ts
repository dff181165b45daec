import { messagesEn } from './en.ts';
import { messagesZh } from './zh-CN.ts';

export const MESSAGE_LANGUAGES = ['zh-CN', 'en'] as const;
export type MessageLanguage = (typeof MESSAGE_LANGUAGES)[number];

interface CodeValues {
  readonly code: string;
  readonly minutes: string;
}

interface CompanyValues {
  readonly company: string;
}

type NoValues = Readonly<Record<never, string>>;

/** Every template with the values its words are made of. A name is known to gateways and stays. */
export interface TemplateValues {
  readonly 'code-register': CodeValues;
  readonly 'code-recover': CodeValues;
  readonly 'code-bind': CodeValues;
  readonly 'code-counter': CodeValues;
  readonly 'code-second-factor': CodeValues;
  readonly 'password-changed': NoValues;
  readonly 'sign-in-changed': NoValues;
  readonly 'phone-left': NoValues;
  readonly 'email-left': NoValues;
  /** `time`: when the new password can be set, as people read it. */
  readonly 'recovery-begun': { readonly time: string };
  readonly 'recovery-completed': NoValues;
  readonly 'recovery-cancelled': NoValues;
  readonly 'recovery-codes-made': NoValues;
  readonly 'recovery-code-used': NoValues;
  readonly 'factor-added': NoValues;
  readonly 'factor-removed': NoValues;
  readonly 'passkey-cloned': NoValues;
  readonly 'level-fell': NoValues;
  readonly 'mandate-invited': CompanyValues;
  readonly 'mandate-ended': CompanyValues;
  readonly 'mandate-changed': CompanyValues;
  readonly 'post-changed': CompanyValues;
  readonly 'company-stopped': CompanyValues;
  readonly 'company-resumed': CompanyValues;
  readonly 'claim-approved': CompanyValues;
  readonly 'claim-rejected': CompanyValues;
  /** Here the name is the guardian's. */
  readonly 'ward-grows-up': CompanyValues;
  /** `day`: when the account will be closed, as people read it. */
  readonly 'closure-asked': { readonly day: string };
  readonly 'closure-cancelled': NoValues;
  readonly 'closure-held': NoValues;
  readonly 'closure-done': NoValues;
  /** `day`: until when it can be undone. */
  /** `day`: from when on a new one is asked for. */
  readonly 'password-aging': { readonly day: string };
  readonly 'accounts-merged': { readonly day: string };
  readonly 'merge-undone': NoValues;
  readonly 'name-corrected': NoValues;
  readonly 'sign-in-refused': NoValues;
  readonly 'birthday-reached': { readonly age: string };
  /** To a guardian: something important happened to the account of `ward`, whose name is masked. */
  readonly 'ward-account-changed': { readonly ward: string };
}

export type TemplateName = keyof TemplateValues;

/** What every catalogue has. */
export type MessageTexts = { readonly [Name in TemplateName]: (values: TemplateValues[Name]) => string };

const VALUE_CHARACTERS_MAX = 64;
/** Line breaks, controls and marks that turn the direction of text: a name with one could write a message of its own (G8). */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+/gu;

/** A value as it may stand in a message: one line of bounded length. */
export const messageValue = (value: string): string =>
  Array.from(value.replace(UNPRINTABLE, ' ').trim()).slice(0, VALUE_CHARACTERS_MAX).join('');

/** What stands above a mail. It never tells the code: subjects are shown on locked screens. */
export function subjectOf(
  language: MessageLanguage = 'zh-CN',
  template: TemplateName,
  { nameZh, nameEn }: { readonly nameZh: string; readonly nameEn: string },
): string {
  const isCode = template.startsWith('code-');
  if (language === 'en') return isCode ? `${nameEn}: your code` : `${nameEn}: about your account`;
  return isCode ? `${nameZh}：您的验证码` : `${nameZh}：账户提醒`;
}

/** The words of a message. Values come from `messageValue`. */
export function messageText<Name extends TemplateName>(
  language: MessageLanguage,
  template: Name,
  values: TemplateValues[Name],
): string {
  const catalogue: MessageTexts = language === 'en' ? messagesEn : messagesZh;
  return catalogue[template](values);
}
