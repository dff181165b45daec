import type { MessageTexts } from './texts.ts';

/** The same messages in English. */
export const messagesEn: MessageTexts = {
  'code-register': ({ code, minutes }) =>
    `Your code is ${code}, to open an account. It is valid for ${minutes} minutes. Tell nobody; our staff will never ask for it.`,
  'code-recover': ({ code, minutes }) =>
    `Your code is ${code}, to set a new password. It is valid for ${minutes} minutes. Tell nobody. If this was not you, do nothing.`,
  'code-bind': ({ code, minutes }) =>
    `Your code is ${code}, to link this contact to your account. It is valid for ${minutes} minutes. Tell nobody; our staff will never ask for it.`,
  'code-counter': ({ code, minutes }) =>
    `Your confirmation code is ${code}, valid for ${minutes} minutes. A service counter is opening your account: please check the details and enter the code yourself, or read it out at the counter. If you are not at a counter, do nothing.`,
  'code-second-factor': ({ code, minutes }) =>
    `Your code is ${code}, to confirm that it is you. It is valid for ${minutes} minutes. Tell nobody; if you are not signing in, change your password.`,
  'password-changed': () =>
    'The password of your account was just changed. If this was not you, please call the help line at once.',
  'email-left': () =>
    'Somebody else has verified this e-mail address, so it no longer belongs to your account. Please sign in and add another.',
  'sign-in-changed': () =>
    'A way to sign in to your account was just changed. If this was not you, please call the help line at once.',
  'phone-left': () =>
    'Somebody else has verified this phone number, so it no longer belongs to your account. Please sign in and add another.',
  'recovery-begun': ({ time }) =>
    `Somebody is setting a new password for your account; this can be finished after ${time}. If it is not you, sign in once with your old password and it is cancelled.`,
  'recovery-completed': () =>
    'The password of your account was set anew and all devices were signed out. If this was not you, please call the help line at once.',
  'recovery-cancelled': () => 'Setting a new password for your account was cancelled. Your old password stays valid.',
  'recovery-codes-made': () =>
    'New recovery codes were made for your account; all earlier ones are void. If this was not you, please call the help line at once.',
  'recovery-code-used': () =>
    'A recovery code was just used to sign in to your account. If this was not you, please call the help line at once.',
  'factor-added': () =>
    'A way to prove yourself was just added to your account. If this was not you, please call the help line at once.',
  'factor-removed': () =>
    'A way to prove yourself was just removed from your account. If this was not you, please call the help line at once.',
  'passkey-cloned': () =>
    'One of your passkeys may have been copied; a sign-in with it was just refused. Please sign in, remove that passkey and call the hotline.',
  'level-fell': () =>
    'The identity level of your account has fallen; some services may ask for a new check. Sign in to see why.',
  'mandate-invited': ({ company }) =>
    `“${company}” asks you to act on its behalf. Please sign in to read about it; whether to accept is up to you.`,
  'mandate-ended': ({ company }) => `You no longer act on behalf of “${company}”.`,
  'mandate-changed': ({ company }) => `A mandate for “${company}” has changed. Please sign in to read about it.`,
  'post-changed': ({ company }) => `Your post at “${company}” has changed. Please sign in to read about it.`,
  'company-stopped': ({ company }) =>
    `The registration of “${company}” has changed, and nobody may act for it until this is settled. Please sign in to read about it.`,
  'company-resumed': ({ company }) => `“${company}” may be acted for again; mandates that were suspended hold again.`,
  'claim-approved': ({ company }) => `Your claim to “${company}” was approved.`,
  'claim-rejected': ({ company }) => `Your claim to “${company}” was not approved. Please sign in to read why.`,
  'ward-grows-up': ({ company }) =>
    `You have turned 14 or 16. Your guardian ${company} may act for you at present. Please sign in to read about it.`,
  'closure-asked': ({ day }) =>
    `You asked to close your account. It is switched off and will be closed on ${day}; sign in before then if you want to keep it. If this was not you, sign in soon, keep the account and change your password.`,
  'closure-cancelled': () => 'You chose to keep your account; it will not be closed.',
  'closure-held': () =>
    'You still are the legal representative of a company, so your account cannot be closed yet. Please sign in to change that, or to keep the account.',
  'closure-done': () => 'Your account was closed and your personal data were deleted. Thank you for having used it.',
  'password-aging': ({ day }) =>
    `Your password has been in use for long: from ${day} on, signing in with it asks for a new one first. You can change it now under "My account".`,
  'accounts-merged': ({ day }) =>
    `Your two accounts are one now. Until ${day} this can be undone under "My data". If this was not you, please call the help line at once.`,
  'merge-undone': () =>
    'The merging of your accounts was undone; both are as they were. If this was not you, please call the help line at once.',
  'sign-in-refused': () =>
    'Somebody tried to sign in to your account with a right password or factor, from a place or network that looked dangerous, and was refused. If it was you, use a device you have signed in from before. If not, change your password now.',
  'name-corrected': () =>
    'The name of your account was corrected after the official register. If this was not you, please call the help line at once.',
  'birthday-reached': ({ age }) => `You are ${age} now, and your account can do more. Sign in to see what.`,
  'ward-account-changed': ({ ward }) =>
    `Something important changed in the account of ${ward}, whose guardian you are. Please sign in, or call the help line.`,
};
