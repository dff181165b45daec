import type { MessageTexts } from './texts.ts';

/**
 * What messages say in Chinese. Each is one plain text without a link: a person must never learn to follow one. Names of templates
 * are known to gateways and stay.
 */
export const messagesZh: MessageTexts = {
  'code-register': ({ code, minutes }) =>
    `验证码 ${code}，用于注册账户，${minutes} 分钟内有效。请勿告诉任何人，工作人员不会向您索要。`,
  'code-recover': ({ code, minutes }) =>
    `验证码 ${code}，用于重设密码，${minutes} 分钟内有效。请勿告诉任何人。如非本人操作，请不要理会。`,
  'code-bind': ({ code, minutes }) =>
    `验证码 ${code}，用于绑定联系方式，${minutes} 分钟内有效。请勿告诉任何人，工作人员不会向您索要。`,
  'code-counter': ({ code, minutes }) =>
    `确认码 ${code}，${minutes} 分钟内有效。服务窗口正在为您办理实名账户，请您本人核对后自行输入，或念给窗口工作人员确认。如未在窗口办理，请不要理会。`,
  'code-second-factor': ({ code, minutes }) =>
    `验证码 ${code}，用于确认是您本人，${minutes} 分钟内有效。请勿告诉任何人；如您没有在登录，请尽快修改密码。`,
  'password-changed': () => '您的账户密码刚刚被更改。如非本人操作，请立即联系服务热线。',
  'email-left': () => '该电子邮箱已由他人验证使用，不再用于您的账户。请登录后绑定新的邮箱。',
  'sign-in-changed': () => '您账户的登录方式刚刚有变动。如非本人操作，请立即联系服务热线。',
  'phone-left': () => '该手机号码已由他人验证使用，不再用于您的账户。请登录后绑定新的号码。',
  'recovery-begun': ({ time }) =>
    `有人正在为您的账户重设密码，${time} 之后才能完成。如非本人操作，请用原密码登录一次，重设会立即取消。`,
  'recovery-completed': () => '您的账户密码已经重设，所有设备均已退出登录。如非本人操作，请立即联系服务热线。',
  'recovery-cancelled': () => '您的账户的密码重设已经取消，原密码继续有效。',
  'recovery-codes-made': () => '您的账户生成了新的恢复码，原有的恢复码全部失效。如非本人操作，请立即联系服务热线。',
  'recovery-code-used': () => '您的账户刚刚使用恢复码通过了验证。如非本人操作，请立即拨打服务热线。',
  'factor-added': () => '您的账户刚刚添加了一种验证方式。如非本人操作，请立即拨打服务热线。',
  'factor-removed': () => '您的账户刚刚移除了一种验证方式。如非本人操作，请立即拨打服务热线。',
  'passkey-cloned': () =>
    '您的一把通行密钥可能已被复制，刚才用它的登录已被拒绝。请登录后移除这把通行密钥，并联系服务热线。',
  'level-fell': () => '您的账户的实名等级已经下降，部分事项可能需要重新核验身份。登录后可查看原因。',
  'mandate-invited': ({ company }) => `“${company}”邀请您担任经办人。请登录后查看，由您决定是否接受。`,
  'mandate-ended': ({ company }) => `您为“${company}”办事的授权已经结束。`,
  'mandate-changed': ({ company }) => `“${company}”的一项授权有了变化。请登录后查看。`,
  'post-changed': ({ company }) => `您在“${company}”的职务身份有了变化。请登录后查看。`,
  'company-stopped': ({ company }) => `“${company}”的登记信息有了变化，以其名义办事的全部授权已经暂停。请登录后查看。`,
  'company-resumed': ({ company }) => `“${company}”恢复办理，原先暂停的授权可以继续使用。`,
  'claim-approved': ({ company }) => `您认领“${company}”的申请已经通过审核。`,
  'claim-rejected': ({ company }) => `您认领“${company}”的申请没有通过审核。请登录后查看原因。`,
  'ward-grows-up': ({ company }) => `您已年满 14 或 16 周岁。监护人 ${company} 目前可以代您办理事项，请登录后查看。`,
  'closure-asked': ({ day }) =>
    `您申请注销账户，账户已停用，将于 ${day} 注销。在此之前登录一次即可选择保留。如非本人操作，请尽快登录保留账户并更改密码。`,
  'closure-cancelled': () => '您已选择保留账户，注销申请已取消。',
  'closure-held': () => '您仍是企业的法定代表人，账户暂时无法注销。请登录后办理变更，或选择保留账户。',
  'closure-done': () => '您的账户已经注销，个人信息已经删除。感谢您的使用。',
  'password-aging': ({ day }) =>
    `您的账户密码使用已久，${day}起用它登录时需要先设置新密码。您也可以现在就在“我的账户”中更换。`,
  'accounts-merged': ({ day }) =>
    `您的两个账户已经合并为一个，${day} 之前可以在“我的数据”中撤销。如非本人操作，请立即联系服务热线。`,
  'merge-undone': () => '您的账户合并已经撤销，两个账户恢复到合并之前。如非本人操作，请立即联系服务热线。',
  'sign-in-refused': () =>
    '有人使用正确的密码或验证方式登录您的账户，但所在网络或地点存在风险，已被拒绝。如是您本人，请改用曾经登录过的设备；如非本人，请立即更改密码。',
  'name-corrected': () => '您账户中的姓名已按权威数据更正。如非本人操作，请立即联系服务热线。',
  'birthday-reached': ({ age }) => `您已年满 ${age} 周岁，账户可办理的事项有变化。登录后可查看。`,
  'ward-account-changed': ({ ward }) => `您监护的 ${ward} 的账户有重要变动。请登录后查看，或联系服务热线。`,
};
