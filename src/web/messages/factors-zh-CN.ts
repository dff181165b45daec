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
export const factorsZh = { kinds: KINDS };
