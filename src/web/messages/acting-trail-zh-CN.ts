import type { TrailLine } from '../pages.ts';
import type { ActingTrailKind } from '../pages-companies.ts';

type Sentences = Readonly<Record<ActingTrailKind, (line: Pick<TrailLine, 'portal' | 'count' | 'principal'>) => string>>;

/** What the trail says of acting for others, in Chinese. */
export const actingTrailZh: Sentences = {
  'entered-for': ({ portal, principal }) => `代表“${principal}”进入“${portal}”`,
  'acting-ended': ({ portal, principal }) => `代表“${principal}”在“${portal}”的办理已随授权结束`,
  'acting-refused': ({ portal }) => `有人想在“${portal}”代表他人办理，没有授权，未成功`,
  'company-claimed': ({ principal }) => `认领企业“${principal}”`,
  'company-claim-refused': () => '认领企业，未成功',
  'company-claim-submitted': () => '提交了认领企业的材料',
  'company-claim-withdrawn': () => '撤回了认领企业的材料',
  'post-appointed': ({ principal }) => `被任命为“${principal}”的管理员`,
  'post-representative': ({ principal }) => `成为“${principal}”的法定代表人`,
  'post-resumed': ({ principal }) => `在“${principal}”的职务恢复`,
  'post-ended': ({ principal }) => `在“${principal}”的职务结束`,
  'mandate-invited': ({ principal }) => `“${principal}”请您代办`,
  'mandate-accepted': ({ principal }) => `接受了“${principal}”的代办授权`,
  'mandate-declined': ({ principal }) => `谢绝了“${principal}”的代办授权`,
  'mandate-suspended': ({ principal }) => `“${principal}”给您的代办授权已暂停`,
  'mandate-resumed': ({ principal }) => `“${principal}”给您的代办授权已恢复`,
  'mandate-revoked': ({ principal }) => `“${principal}”给您的代办授权已结束`,
  'mandate-expired': ({ principal }) => `“${principal}”给您的代办授权已到期`,
  'mandate-renewed': ({ principal }) => `“${principal}”给您的代办授权已延期`,
  'mandate-given': () => '请人代您办事',
  'given-accepted': () => '您请的人接受了代办',
  'given-declined': () => '您请的人谢绝了代办',
  'given-suspended': () => '代您办事的授权已暂停',
  'given-resumed': () => '代您办事的授权已恢复',
  'given-revoked': () => '代您办事的授权已结束',
  'given-expired': () => '代您办事的授权已到期',
  'given-renewed': () => '代您办事的授权已延期',
};
