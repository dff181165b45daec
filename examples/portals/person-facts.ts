import type { Language } from './definitions.ts';

export interface Fact {
  readonly label: string;
  readonly value: string;
}

type Wording = Readonly<Record<Language, string>>;

const LABELS = {
  name: { zh: '姓名', en: 'Name' },
  number: { zh: '证件号码', en: 'ID number' },
  company: { zh: '代表企业', en: 'Acting for' },
  role: { zh: '办理身份', en: 'In the role of' },
  proven: { zh: '实名程度', en: 'Identity proven' },
  method: { zh: '登录方式', en: 'Signed in with' },
  time: { zh: '登录时间', en: 'Signed in at' },
} as const satisfies Record<string, Wording>;

const IDENTITY_LEVELS: readonly Wording[] = [
  { zh: '尚未核验', en: 'not verified' },
  { zh: '证件号码格式已核对', en: 'document number checked for form' },
  { zh: '与权威信息比对一致', en: 'matched with an authoritative register' },
  { zh: '实人核验', en: 'verified in person, live' },
  { zh: '证书或窗口核验', en: 'certificate or counter' },
];

const METHODS: Readonly<Record<string, Wording>> = {
  pwd: { zh: '密码', en: 'password' },
  otp: { zh: '动态口令', en: 'one-time code' },
  sms: { zh: '短信验证码', en: 'text message code' },
  hwk: { zh: '通行密钥', en: 'passkey' },
  swk: { zh: '通行密钥', en: 'passkey' },
  pop: { zh: '通行密钥', en: 'passkey' },
  sc: { zh: '数字证书', en: 'certificate' },
  face: { zh: '人脸核验', en: 'face verification' },
};

type Claims = Readonly<Record<string, unknown>>;

const textOf = (claims: Claims, ...names: readonly string[]): string | undefined =>
  names.map((name) => claims[name]).find((value): value is string => typeof value === 'string' && value !== '');

/** First and last character only: enough to recognise one's own number, too little for whoever looks over the shoulder. */
export function masked(number: string): string {
  if (number.includes('*')) return number;
  const characters = [...number];
  if (characters.length < 3) return '*'.repeat(characters.length);
  return `${characters[0]}${'*'.repeat(characters.length - 2)}${characters.at(-1)}`;
}

const ROLES: Readonly<Record<string, Wording>> = {
  legal_representative: { zh: '法定代表人', en: 'legal representative' },
  administrator: { zh: '管理员', en: 'administrator' },
  agent: { zh: '经办人', en: 'agent' },
};

const recordOf = (value: unknown): Claims | undefined =>
  typeof value === 'object' && value !== null ? (value as Claims) : undefined;

/** The company the person acts for here, by its name; undefined for a person who acts for themselves. */
export const companyOf = ({ legal_person: company }: Claims): string | undefined =>
  textOf(recordOf(company) ?? {}, 'name');

function roleOf({ legal_person: company }: Claims, language: Language): string | undefined {
  return ROLES[String(recordOf(company)?.role)]?.[language];
}

function levelOf(claims: Claims, language: Language): string | undefined {
  const stated = typeof claims.ial === 'number' ? claims.ial : Number(/ial\W?(\d)/i.exec(String(claims.acr))?.[1]);
  const wording = IDENTITY_LEVELS[stated];
  if (wording === undefined) return undefined;
  return language === 'zh' ? `${stated} 级，${wording.zh}` : `Level ${stated}, ${wording.en}`;
}

function methodsOf({ amr }: Claims, language: Language): string | undefined {
  if (!Array.isArray(amr)) return undefined;
  const names = amr.map((method) => METHODS[String(method)]?.[language]).filter((name) => name !== undefined);
  return names.length === 0 ? undefined : [...new Set(names)].join(language === 'zh' ? '、' : ', ');
}

function timeOf({ auth_time: seconds }: Claims, language: Language): string | undefined {
  if (typeof seconds !== 'number') return undefined;
  const format = new Intl.DateTimeFormat(language === 'zh' ? 'zh-CN' : 'en-GB', {
    dateStyle: 'long',
    timeStyle: 'short',
    timeZone: 'Asia/Shanghai',
  });
  return format.format(seconds * 1000);
}

/** The name to greet the person with, as the identity server released it. */
export const nameOf = (claims: Claims): string | undefined => textOf(claims, 'name', 'name_masked');

/** What this portal learnt about the person, in words; a claim that did not come is left out. */
export function factsOf(claims: Claims, language: Language): readonly Fact[] {
  const number = textOf(claims, 'id_number_masked', 'id_number');
  const values: Readonly<Record<keyof typeof LABELS, string | undefined>> = {
    name: nameOf(claims),
    number: number === undefined ? undefined : masked(number),
    company: companyOf(claims),
    role: roleOf(claims, language),
    proven: levelOf(claims, language),
    method: methodsOf(claims, language),
    time: timeOf(claims, language),
  };
  return Object.entries(LABELS).flatMap(([key, label]) => {
    const value = values[key as keyof typeof LABELS];
    return value === undefined ? [] : [{ label: label[language], value }];
  });
}

/** The claims as they came, for a technical reader; the number stays masked here too. */
export function claimsForReading(claims: Claims): string {
  const hidden = (key: string, value: unknown): unknown =>
    key === 'id_number' && typeof value === 'string' ? masked(value) : value;
  return JSON.stringify(claims, hidden, 2);
}
