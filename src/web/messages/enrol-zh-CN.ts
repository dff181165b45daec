/** The texts of messages, enrolment and recovery in Chinese. */
export const enrolZh = {
  /** How the trail names a notice that was sent. */
  notices: {
    'password-changed': '密码已更改',
    'email-left': '电子邮箱已由他人验证',
    'sign-in-changed': '登录方式有变动',
    'phone-left': '手机号码已由他人验证',
    'recovery-begun': '正在重设密码',
    'recovery-completed': '密码已重设',
    'recovery-cancelled': '密码重设已取消',
    'recovery-codes-made': '恢复码已重新生成',
    'level-fell': '实名等级下降',
    'mandate-invited': '受邀担任经办人',
    'mandate-ended': '经办授权已结束',
    'mandate-changed': '授权有变化',
    'post-changed': '企业职务身份有变化',
    'company-stopped': '企业授权全部暂停',
    'company-resumed': '企业恢复办理',
    'claim-approved': '企业认领已通过',
    'claim-rejected': '企业认领未通过',
    'ward-grows-up': '监护授权告知',
  },
  mailbox: {
    title: '演示信箱',
    lead: '演示环境不会真的发送短信。所有人的消息都在这里，最新的在最前面。',
    none: '还没有消息。办理需要验证码的事项后，刷新本页即可看到。',
    to: '发往',
    channels: { sms: '短信', email: '邮件', voice: '语音' },
    home: '返回首页',
  },
};
