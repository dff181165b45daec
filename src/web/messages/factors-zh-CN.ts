import type { FactorKind } from '../../factors/factor.ts';
import type { FactorTrailKind } from '../pages-factors.ts';

/** What the trail says of factors, in Chinese. */
export const factorTrailZh: Readonly<Record<FactorTrailKind, () => string>> = {
  'factor-bound': () => '添加了验证方式',
  'factor-renamed': () => '更改了验证方式的名称',
  'factor-removed': () => '移除了验证方式',
  'factor-always': () => '已设为每次登录都要第二次验证',
  'factor-sometimes': () => '不再要求每次登录都第二次验证',
  'factor-cloned': () => '一把通行密钥可能已被复制，用它的登录被拒绝',
  'scan-approved': () => '用手机扫码，允许了另一块屏幕登录',
  'scan-refused': () => '扫码登录未通过',
  'device-trusted': () => '将一台设备设为受信任',
  'device-distrusted': () => '不再信任设备',
};

const KINDS: Readonly<Record<FactorKind, string>> = {
  totp: '动态验证码应用',
  otp_token: '动态令牌',
  passkey: '通行密钥',
  sms_code: '短信验证码',
  email_code: '邮箱验证码',
  recovery_code: '恢复码',
  certificate: '数字证书',
};

/** The texts about factors in Chinese. */
export const factorsZh = {
  kinds: KINDS,
  list: {
    title: '第二验证方式',
    lead: '除密码外，再用一件您手里的东西证明是您本人。即使密码泄露，别人也进不来。',
    none: '您还没有添加第二验证方式。建议至少添加一种。',
    boundAt: '添加时间',
    lastUsedAt: '最近使用',
    never: '还没有使用过',
    manage: '管理',
    manageOf: (name: string) => `管理：${name}`,
    add: { totp: '添加动态验证码应用', otp_token: '绑定动态令牌', certificate: '绑定数字证书' },
    addText: {
      totp: '在手机上安装验证码应用，登录时输入应用显示的 6 位数字。没有信号也能用。',
      otp_token: '如果您领到了一个显示数字的硬件令牌，可以在这里绑定。',
      certificate: '用 UKey 中的 SM2 数字证书登录或第二次验证。',
    },
    always: '每次登录都要第二次验证',
    alwaysText: { yes: '已开启：每次登录除密码外，还要用上面的一种方式验证。', no: '未开启：只有网站要求时才验证。' },
    alwaysSubmit: { yes: '关闭', no: '开启' },
    alwaysOf: { yes: '关闭：每次登录都要第二次验证', no: '开启：每次登录都要第二次验证' },
    codesAdvice: '建议再生成一组恢复码并打印保存，手机或令牌不在身边时也能登录。',
    done: {
      factor: '已添加。下次需要验证时就可以使用。',
      'factor-renamed': '名称已更改。',
      'factor-removed': '已移除，不能再用它验证。',
      'factor-always': '已开启：每次登录都要第二次验证。',
      'factor-sometimes': '已关闭：只有网站要求时才验证。',
    },
  },
  factor: {
    kind: '种类',
    label: '名称',
    labelHint: '方便您自己辨认，例如“我的手机”。',
    rename: '保存名称',
    removeTitle: '移除',
    removeText: '移除后，它不能再用于验证。如果手机或令牌丢失，请立即移除。',
    removeLast: '这是您唯一的第二验证方式。移除后，账户只剩密码保护。',
    remove: '移除这种验证方式',
    back: '返回登录方式',
    problems: {
      label_empty: '请填写名称。',
      only_key: '您的账户没有密码，这是唯一的登录方式，不能移除。请先设置密码，或再添加一把通行密钥。',
      needed: '您已设为每次登录都要第二次验证，所以不能移除最后一种方式。请先添加另一种，或关闭该设置。',
    },
  },
  authenticator: {
    title: '添加动态验证码应用',
    lead: '请按以下步骤，用手机上的验证码应用扫码。',
    steps: [
      '在手机上打开验证码应用，选择“添加”或“扫一扫”。',
      '扫描下面的二维码，或手工输入密钥。',
      '输入应用显示的 6 位数字，完成添加。',
    ],
    code: '二维码：用验证码应用扫描',
    secret: '不能扫码？请在应用中输入这个密钥（按时间，6 位，30 秒）',
    caution: '请勿把二维码或密钥发给任何人，也不要截屏。',
    label: '名称',
    labelHint: '方便您自己辨认，例如“我的手机”。',
    labelUsual: '我的手机',
    entered: '应用显示的 6 位数字',
    enteredHint: '每 30 秒变换一次。',
    submit: '完成添加',
    problems: {
      mismatch: '数字不对。请确认手机时间准确，输入应用当前显示的数字。',
      expired: '等待时间太长，密钥已更换。请在应用中删除刚才添加的一项，重新扫码。',
      too_many: '您添加的验证方式太多了，请先移除不用的。',
    },
  },
  token: {
    title: '绑定动态令牌',
    lead: '请准备好您领到的硬件令牌。',
    serial: '令牌序列号',
    serialHint: '印在令牌背面的字母和数字。',
    first: '令牌现在显示的数字',
    firstHint: '没有显示时，请按一下令牌上的按钮。',
    second: '下一组数字',
    secondHint: '请等令牌变换一次，再输入新显示的数字。',
    submit: '绑定',
    problems: {
      refused: '没有绑定成功。请核对序列号，并连续输入令牌显示的两组数字。仍不成功，请联系发放令牌的窗口。',
      exhausted: '尝试次数过多。为保护您的账户，请稍后再试。',
      too_many: '您添加的验证方式太多了，请先移除不用的。',
    },
  },
};
