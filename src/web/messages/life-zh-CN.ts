/** Texts about merging, closing, exporting and correcting, in Chinese. */
export const lifeZh = {
  close: {
    title: '注销账户',
    lead: '注销后，账户和其中的个人信息将被删除，无法恢复。',
    now: '申请后立即生效',
    nowItems: [
      '所有设备上的登录立即结束，包括本机；您登录过的网站会收到通知。',
      '账户停用，不能用来办理任何事项。',
    ] as readonly string[],
    later: (days: number) => `${days} 天之后`,
    laterItems: [
      '姓名、证件号码、手机号码、邮箱、密码等全部删除。',
      '您的授权、职务和代办关系全部结束。',
      '同一证件以后可以重新注册，但与现在的账户没有任何关联。',
      '依法须保存的使用记录继续保存，期满后其中的个人信息也无法再读出。',
    ] as readonly string[],
    keep: (days: number) => `这 ${days} 天内改变主意，只要登录一次，选择“保留我的账户”即可。`,
    agree: '我已了解，确定要注销我的账户',
    submit: '申请注销',
    problems: {
      agree: '请先勾选确认。',
      represents: '您是以下企业的法定代表人，请先办理法定代表人变更，再注销账户：',
    },
  },
  closeDone: {
    title: '已申请注销',
    lead: (day: string) => `您的账户已停用，将于 ${day} 注销。`,
    keep: '在此之前登录一次，就可以选择保留账户。',
    home: '返回首页',
  },
  closing: {
    title: '您的账户正在注销',
    lead: (day: string) => `按您的申请，账户将于 ${day} 注销。在此期间不能登录任何网站。`,
    question: '要保留您的账户吗？',
    keep: '保留我的账户',
    keepHint: '保留后请重新登录，一切照旧。此前结束的登录不会恢复。',
    leave: '不保留，离开',
    late: '注销日期已到，账户正在删除，无法再保留。如有疑问，请联系服务热线。',
    kept: '账户已保留。请重新登录。',
  },
};
