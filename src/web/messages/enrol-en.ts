import type { enrolZh } from './enrol-zh-CN.ts';

/** The texts of messages, enrolment and recovery in English. */
export const enrolEn: typeof enrolZh = {
  notices: {
    'password-changed': 'password changed',
    'email-left': 'e-mail address verified by somebody else',
    'sign-in-changed': 'a way to sign in was changed',
    'phone-left': 'phone number verified by somebody else',
    'recovery-begun': 'a new password is being set',
    'recovery-completed': 'password set anew',
    'recovery-cancelled': 'setting a new password cancelled',
    'recovery-codes-made': 'new recovery codes made',
    'level-fell': 'identity level fell',
    'mandate-invited': 'asked to act for a company',
    'mandate-ended': 'no longer acting for a company',
    'mandate-changed': 'a mandate has changed',
    'post-changed': 'a post at a company has changed',
    'company-stopped': 'all mandates of a company suspended',
    'company-resumed': 'a company may be acted for again',
    'claim-approved': 'claim to a company approved',
    'claim-rejected': 'claim to a company not approved',
    'ward-grows-up': 'told of a guardian’s mandate',
  },
  mailbox: {
    title: 'Demonstration mailbox',
    lead: 'The demonstration sends no real messages. Everybody’s messages arrive here, the newest first.',
    none: 'No messages yet. Do something that needs a code, then reload this page.',
    to: 'To',
    channels: { sms: 'Text message', email: 'E-mail', voice: 'Call' },
    home: 'Start page',
  },
};
