/**
 * The numbered catalogue of faults. A number is never reused. `zh` and `en` are for the citizen: calm, and what to do next;
 * `oauth` is all a relying party learns; `operator` says where to look. Rendered into docs/faults.md.
 */
export interface FaultEntry {
  readonly number: number;
  readonly status: number;
  readonly oauth: string;
  readonly zh: string;
  readonly en: string;
  readonly operator: string;
}

const entry = (
  number: number,
  status: number,
  oauth: string,
  zh: string,
  en: string,
  operator: string,
): FaultEntry => ({
  number,
  status,
  oauth,
  zh,
  en,
  operator,
});

export const FAULTS = {
  // 10xx: the request itself
  malformed_request: entry(
    1001,
    400,
    'invalid_request',
    '请求的内容不完整或格式不对。请返回上一页重新操作。',
    'The request is incomplete or not well formed. Please go back and try again.',
    'The request could not be parsed or failed its schema; the log line names the field.',
  ),
  unknown_page: entry(
    1002,
    404,
    'not_found',
    '没有找到这个页面。请检查网址，或返回首页。',
    'There is no page at this address. Please check the address or return to the start page.',
    'No route matches the path.',
  ),
  method_not_allowed: entry(
    1003,
    405,
    'invalid_request',
    '这个页面不支持此操作。请返回上一页重新操作。',
    'This page does not support that action. Please go back and try again.',
    'The path exists, but not for this HTTP method.',
  ),
  misdirected_host: entry(
    1004,
    421,
    'invalid_request',
    '您访问的域名不属于本服务。请使用官方网址。',
    'This host name does not belong to this service. Please use the official address.',
    'The Host header is not the host of the configured issuer.',
  ),
  body_too_large: entry(
    1005,
    413,
    'invalid_request',
    '提交的内容过大。请减少内容后重试。',
    'What was sent is too large. Please send less and try again.',
    'The request body or its number of parameters is above the limit.',
  ),
  too_many_requests: entry(
    1006,
    429,
    'temporarily_unavailable',
    '操作过于频繁。请稍等片刻再试。',
    'Too many attempts. Please wait a moment and try again.',
    'A limit per address was reached.',
  ),
  foreign_origin: entry(
    1007,
    403,
    'access_denied',
    '这次提交不是从本站页面发出的。请从登录页面重新开始。',
    'This submission did not come from a page of this site. Please start again from the sign-in page.',
    'A form was posted from another origin (Origin or Sec-Fetch-Site).',
  ),
  // 11xx: the sign-in ceremony
  ceremony_expired: entry(
    1101,
    400,
    'invalid_request',
    '这次登录已过期或已完成。请回到原来的网站重新登录。',
    'This sign-in has expired or is already finished. Please return to the portal and sign in again.',
    'The interaction named in the URL does not exist any more.',
  ),
  ceremony_elsewhere: entry(
    1102,
    400,
    'invalid_request',
    '这次登录是在另一个浏览器或窗口中开始的。请回到原来的网站重新登录。',
    'This sign-in was started in another browser or window. Please return to the portal and sign in again.',
    'The interaction in the URL is not the one bound to this browser by cookie (V4, V53).',
  ),
  form_token_refused: entry(
    1103,
    403,
    'access_denied',
    '页面停留时间过长，请刷新后重新提交。',
    'The page was open for too long. Please reload it and submit again.',
    'The anti-forgery token of the form does not match this browser.',
  ),
  sign_in_too_risky: entry(
    1104,
    403,
    'access_denied',
    '这次登录的情况存在风险，为保护您的账户已被拒绝。请换用平时使用的设备或网络再试，或拨打服务热线。',
    'This sign-in looked dangerous and was refused to protect the account. Please try from a device or network you usually use, or call the help line.',
    'The circumstances of the sign-in were judged too risky; the ledger names the reasons.',
  ),
  level_out_of_reach: entry(
    1105,
    403,
    'unmet_authentication_requirements',
    '这个网站要求的登录等级，本服务目前无法提供。请联系该网站。',
    'The portal wants a level of sign-in that this service cannot offer. Please contact the portal.',
    'The minimum of the portal, or the essential acr of its request, is above what the factors of this server reach.',
  ),
  proof_spent: entry(
    1106,
    409,
    'invalid_request',
    '这个验证码已在别处使用。请返回登录页面，用新的验证码再试。',
    'This proof was just used elsewhere. Please go back to the sign-in page and try again with a new one.',
    'Two requests carried one proof at the same moment; the other one counted.',
  ),
  staff_only: entry(
    1107,
    403,
    'access_denied',
    '这个网站仅供工作人员在规定的网络和工作时间内使用。如果您是工作人员，请回到办公网络，在工作时间再试。',
    'This portal is for members of staff, from the office and in office hours. If you are one, please try again from there and then.',
    'Somebody who is no active member of staff, or outside staff.officeNetworks or staff.officeHours, came to a portal with staff_only; the ledger has the reason.',
  ),
  // 12xx: what we depend on
  storage_unavailable: entry(
    1201,
    503,
    'temporarily_unavailable',
    '系统暂时繁忙，您的操作没有完成。请稍后重试。',
    'The service is briefly unavailable and your action was not carried out. Please try again shortly.',
    'The database or artifact store did not answer, is full, or refused the write.',
  ),
  overloaded: entry(
    1202,
    503,
    'temporarily_unavailable',
    '当前登录人数较多，请稍后再试。',
    'Many people are signing in right now. Please try again in a moment.',
    'The password hashing queue is full or the deadline passed.',
  ),
  register_unavailable: entry(
    1203,
    503,
    'temporarily_unavailable',
    '身份核验服务暂时不可用，您填写的内容没有被判为错误。请稍后再试。',
    'Identity verification is briefly unavailable; nothing you entered was judged wrong. Please try again later.',
    'The identity source did not answer or its circuit is open.',
  ),
  ledger_mismatch: entry(
    1204,
    503,
    'temporarily_unavailable',
    '系统正在进行安全核查，暂停办理，请稍后再试或拨打服务热线。',
    'The service has paused for a security check. Please try again later or call the help line.',
    'The audit ledger does not match its last signed checkpoint. Nothing is served until this is explained: run tongban audit verify, and compare with the witness.',
  ),
  ledger_unwritable: entry(
    1205,
    503,
    'temporarily_unavailable',
    '系统暂时无法留存办理记录，因此您的操作没有办理。请稍后再试，或拨打服务热线。',
    'What you do here cannot be put on record at the moment, so nothing was done. Please try again later or call the help line.',
    'An event could not be written into the audit ledger, and what it tells of was undone with it. The node is not ready until an entry can be written again: the log holds the cause.',
  ),
  signer_unavailable: entry(
    1206,
    503,
    'temporarily_unavailable',
    '系统暂时无法签发登录凭证，您的操作没有完成，也没有被判为错误。请稍后重试。',
    'Your sign-in cannot be put under our signature at the moment; nothing was done and nothing was judged wrong. Please try again shortly.',
    'The signature server that holds the SM2 keys did not answer, refused, or signed something else; its circuit may be open. Nothing was half signed: the same code or refresh token can be used again. The log holds the cause.',
  ),
  sealed_data_altered: entry(
    1207,
    503,
    'temporarily_unavailable',
    '您的部分资料没有通过安全校验，为保护您的信息，本次操作已停止。请拨打服务热线，并告知页面上的编号。',
    'Some of your data did not pass its security check, and nothing was done so as to protect it. Please call the help line and tell them the number on this page.',
    'A sealed value does not open: it was altered, moved to another row or column, or sealed with a key that is gone. The ledger names table, column and row (sealed-data.altered): compare the row with a backup, and look for who writes to the database.',
  ),
  row_altered: entry(
    1208,
    503,
    'temporarily_unavailable',
    '与权限有关的一条记录没有通过安全校验，本次操作已停止。请拨打服务热线，并告知页面上的编号。',
    'A record about who may do what did not pass its security check, and nothing was done. Please call the help line and tell them the number on this page.',
    'A row that decides who may do what is not as this house wrote it: it was altered, moved, put there, or its key is gone. The ledger names table and row (row.altered): compare the row with a backup and the ledger, look for who writes to the database, and see docs/keys.md.',
  ),
  // 13xx: relying parties
  relying_party_unknown: entry(
    1301,
    400,
    'invalid_client',
    '无法识别您要访问的网站，它可能尚未接入或已停用。请联系该网站。',
    'The portal you came from is not known here or has been switched off. Please contact that portal.',
    'client_id is unknown or its relying party is disabled.',
  ),
  authorization_refused: entry(
    1302,
    400,
    'invalid_request',
    '该网站发来的登录请求有误，为保护您的信息已停止。请联系该网站。',
    'The sign-in request of this portal is not valid and was stopped to protect you. Please contact the portal.',
    'The authorization request cannot be answered by a redirect; the log line has the error description.',
  ),
  logout_refused: entry(
    1303,
    400,
    'invalid_request',
    '退出请求有误，您仍处于登录状态。请重新退出。',
    'The sign-out request is not valid; you are still signed in. Please sign out again.',
    'The end-session request failed its checks; the log line has the error description.',
  ),
  // 14xx: people and whom they act for
  acting_ended: entry(
    1430,
    403,
    'access_denied',
    '您代为办理的授权已结束或被暂停，本次操作没有完成。请返回网站重新选择以谁的身份办理。',
    'The mandate you were acting under has ended or was suspended, and nothing was done. Please go back to the portal and choose again for whom you act.',
    'A post or mandate ended between the choice of the subject and the end of the sign-in; the person has to choose again.',
  ),
  closure_late: entry(
    1460,
    410,
    'access_denied',
    '账户的注销日期已到，正在删除，无法再保留。如有疑问，请联系服务热线。',
    'The day on which this account is closed has come; it is being deleted and cannot be kept any more. Please call the help line if you have questions.',
    'A person wanted to keep an account whose cooling-off time had passed, or that was not being closed any more.',
  ),
  // 19xx: ourselves
  internal: entry(
    1901,
    500,
    'server_error',
    '系统出现异常，您的操作没有完成。请稍后重试；如仍有问题，请把页面上的编号告诉服务热线。',
    'Something went wrong and your action was not carried out. Please try again; if it persists, tell the help desk the number on this page.',
    'An unexpected error; the log has it under the request id.',
  ),
} as const satisfies Record<string, FaultEntry>;

export type FaultCode = keyof typeof FAULTS;

/** The headline of a fault page: three are enough, the text below says the rest. */
export function faultTitle({ status }: FaultEntry): { readonly zh: string; readonly en: string } {
  if (status === 404) return { zh: '页面不存在', en: 'Page not found' };
  if (status >= 500 || status === 429) return { zh: '暂时无法办理', en: 'Not possible right now' };
  return { zh: '无法继续办理', en: 'This cannot go on' };
}
