import type { Language } from './definitions.ts';

const zh = {
  signIn: '使用统一身份登录',
  signOut: '退出登录',
  hello: (name: string) => `${name}，您好`,
  helloUnnamed: '您好',
  signedInHere: '您已登录。以下是本站收到的您的信息。',
  signedInFor: (company: string) => `您正在代表${company}办理。以下是本站收到的信息。`,
  switchSubject: '切换身份',
  switchToSelf: '改为本人办理',
  services: '登录后可以办理',
  yourServices: '您可以办理',
  card: '您的身份',
  oneLogin: '一次登录，处处通行',
  oneLoginBefore: (other: string) => `在这里登录后，去「${other}」不用再输入密码。`,
  oneLoginAfter: (other: string) => `您已登录统一身份。去「${other}」不用再输入密码。`,
  visit: (other: string) => `前往${other}`,
  received: '查看本站收到的全部数据',
  demonstration: '演示门户，数据均为虚构',
  home: '返回首页',
  askSignOut: { heading: '要退出登录吗？', lead: '退出后，需要重新登录才能继续办理。' },
  signedOut: { heading: '您已退出本站', lead: '如果这是公用电脑，请关闭浏览器窗口。' },
  troubles: {
    login_required: { heading: '您还没有登录', lead: '统一身份那边没有找到您的登录。请点击下面的按钮登录。' },
    access_denied: {
      heading: '登录没有完成',
      lead: '您没有同意把信息提供给本站，本站没有收到任何信息。您可以随时重新登录。',
    },
    expired: { heading: '这次登录已失效', lead: '登录停留时间过长，或者是在另一个窗口中开始的。请重新登录。' },
    unavailable: {
      heading: '暂时连不上统一身份',
      lead: '您的信息没有问题，是系统之间的连接暂时中断。请稍等片刻再试。',
    },
    failed: {
      heading: '登录没有成功',
      lead: '为保护您的信息，本站没有接受这次登录。请重新登录；如仍不成功，请拨打 12345。',
    },
    not_found: { heading: '没有找到这个页面', lead: '请检查网址，或返回首页。' },
    internal: { heading: '本站出了点问题', lead: '您的操作没有完成。请稍后重试。' },
  },
  retry: '再试一次',
};

type Texts = typeof zh;

/** Why a visit did not end where the person wanted; each has a calm page. */
export type Trouble = keyof Texts['troubles'];

const en: Texts = {
  signIn: 'Sign in with your unified identity',
  signOut: 'Sign out',
  hello: (name) => `Hello, ${name}`,
  helloUnnamed: 'Hello',
  signedInHere: 'You are signed in. This is what the portal was told about you.',
  signedInFor: (company) => `You are acting for ${company}. This is what the portal was told.`,
  switchSubject: 'Act for somebody else',
  switchToSelf: 'Act for myself',
  services: 'Once signed in you can use',
  yourServices: 'You can use',
  card: 'Your identity',
  oneLogin: 'One login, every portal',
  oneLoginBefore: (other) => `Sign in here and ${other} will not ask for your password again.`,
  oneLoginAfter: (other) => `Your unified identity is signed in. ${other} will not ask for your password again.`,
  visit: (other) => `Go to ${other}`,
  received: 'Everything this portal received',
  demonstration: 'Demonstration portal with invented data',
  home: 'Back to the start page',
  askSignOut: { heading: 'Sign out?', lead: 'You will have to sign in again to continue.' },
  signedOut: { heading: 'You are signed out here', lead: 'On a shared computer, please close the browser window.' },
  troubles: {
    login_required: {
      heading: 'You are not signed in yet',
      lead: 'No unified sign-in was found. Please use the button below.',
    },
    access_denied: {
      heading: 'The sign-in was not completed',
      lead: 'You did not agree to share your details, and this portal received none. You can sign in again at any time.',
    },
    expired: {
      heading: 'This sign-in is no longer valid',
      lead: 'It was open for too long or was started in another window. Please sign in again.',
    },
    unavailable: {
      heading: 'The unified sign-in cannot be reached',
      lead: 'Nothing is wrong with your details; a connection is interrupted. Please try again in a moment.',
    },
    failed: {
      heading: 'The sign-in did not succeed',
      lead: 'To protect you this portal did not accept it. Please sign in again; if it persists, call 12345.',
    },
    not_found: { heading: 'There is no such page', lead: 'Please check the address or go back to the start page.' },
    internal: {
      heading: 'Something went wrong here',
      lead: 'Your action was not carried out. Please try again shortly.',
    },
  },
  retry: 'Try again',
};

export const TEXTS: Readonly<Record<Language, Texts>> = { zh, en };

/** Chinese unless the browser clearly prefers English (RFC 9110 section 12.5.4). */
export function languageOf(acceptLanguage: string | undefined): Language {
  const weights = { zh: 0, en: 0 };
  for (const part of (acceptLanguage ?? '').slice(0, 200).split(',')) {
    const match = /^\s*(zh|en)\b[^;]*(?:;\s*q=([\d.]+))?/i.exec(part);
    const language = match?.[1]?.toLowerCase();
    if (language !== 'zh' && language !== 'en') continue;
    weights[language] = Math.max(weights[language], Number(match?.[2] ?? 1));
  }
  return weights.en > weights.zh ? 'en' : 'zh';
}
