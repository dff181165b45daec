import type { subjectZh } from './subject-zh-CN.ts';

export const subjectEn: typeof subjectZh = {
  title: 'For whom are you acting?',
  lead: (portal) =>
    `At ${portal} you can act for yourself or for somebody else. You can change this at any time without signing in again.`,
  leadActing: (portal) => `${portal} only serves people who act for somebody else. Please choose for whom.`,
  self: 'Myself',
  selfDetail: 'My own matters',
  others: 'Somebody else',
  code: 'Social credit code',
  role: 'As',
  matters: 'Matters',
  mattersJoin: ', ',
  mattersMore: (count) => `(${count} in all)`,
  mattersAll: 'All matters',
  until: 'Mandate valid until',
  roles: {
    legal_representative: 'Legal representative',
    administrator: 'Administrator',
    agent: 'Agent',
    guardian: 'Guardian',
    relative: 'Relative or friend',
  },
  search: 'Find by name or code',
  searchSubmit: 'Find',
  found: (found, total) => `${found} of ${total}`,
  foundNone: 'Nothing found. Please try another name or code.',
  previous: 'Previous page',
  next: 'Next page',
  cancel: 'Stop and return to the portal',
  problems: {
    ended: 'You cannot act for this choice now. The mandate may just have ended. Please choose again.',
  },
  nobody: {
    title: 'There is nobody you may act for yet',
    lead: (portal) => `${portal} only serves people who act for somebody else, and you have no mandate so far.`,
    hint: 'If you are a legal representative, claim your company under "My account" first. If you are an agent, ask the company for a mandate and accept it there.',
    account: 'Go to my account',
    back: 'Return to the portal',
  },
  acting: 'acting for',
};
