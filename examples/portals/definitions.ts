export type Language = 'zh' | 'en';

/** What one portal says on its own pages, in one language. */
export interface PortalTexts {
  readonly name: string;
  readonly heading: string;
  readonly lead: string;
  readonly services: readonly { readonly title: string; readonly note: string }[];
}

/** Client metadata of a portal, as OpenID Connect names it (OIDC Registration 1.0 section 2). The secret is not part of it. */
export interface PortalRegistration {
  readonly client_id: string;
  readonly client_name: string;
  readonly 'client_name#en': string;
  readonly redirect_uris: readonly string[];
  readonly post_logout_redirect_uris: readonly string[];
  readonly initiate_login_uri: string;
  readonly backchannel_logout_uri: string;
  readonly backchannel_logout_session_required: boolean;
  readonly scope: string;
  /** For what the portal wants what people let it see; a member of this identity server's own. */
  readonly purpose: string;
  readonly 'purpose#en': string;
  readonly grant_types: readonly string[];
  readonly response_types: readonly string[];
  readonly token_endpoint_auth_method: string;
  /** For whom people may act here; a member of this identity server's own. */
  readonly accepts_subjects: readonly string[];
}

export interface PortalDefinition {
  readonly clientId: string;
  readonly nameZh: string;
  readonly nameEn: string;
  readonly port: number;
  /** Whether people may act for a company here. */
  readonly forCompanies: boolean;
  /** Custom properties of the stylesheet: what makes this portal look like itself. */
  readonly theme: Readonly<Record<string, string>>;
  readonly texts: Readonly<Record<Language, PortalTexts>>;
  /** The relying-party record to register for this portal; `url` is where browsers and the identity server reach it. */
  registration(url?: string): PortalRegistration;
}

export const SCOPE = 'openid profile identity';

type PortalSubject = Omit<PortalDefinition, 'registration' | 'nameZh' | 'nameEn'>;

const define = (subject: PortalSubject): PortalDefinition => ({
  ...subject,
  nameZh: subject.texts.zh.name,
  nameEn: subject.texts.en.name,
  registration: (url = `http://127.0.0.1:${subject.port}`) => ({
    client_id: subject.clientId,
    client_name: subject.texts.zh.name,
    'client_name#en': subject.texts.en.name,
    redirect_uris: [`${url}/callback`],
    post_logout_redirect_uris: [`${url}/signed-out`],
    initiate_login_uri: `${url}/login`,
    backchannel_logout_uri: `${url}/backchannel-logout`,
    backchannel_logout_session_required: true,
    scope: SCOPE,
    purpose: '为您办理事项、查询办事进度',
    'purpose#en': 'to handle your matters and show you how they stand',
    grant_types: ['authorization_code'],
    response_types: ['code'],
    token_endpoint_auth_method: 'client_secret_basic',
    accepts_subjects: subject.forCompanies ? ['natural', 'legal'] : ['natural'],
  }),
});

export const CITIZEN_CENTRE = define({
  clientId: 'citizen-centre',
  port: 3001,
  forCompanies: false,
  theme: {
    brand: '#0b6552',
    'brand-deep': '#063f33',
    wash: '#eef6f2',
    line: '#cfe2d9',
    tint: '#d9ece3',
    'hero-top': '#c4e4d6',
    'hero-bottom': '#e6f4ee',
    'hero-ink': '#063f33',
    'hero-soft': '#1f4d41',
    'action-back': '#0b6552',
    'action-ink': '#ffffff',
    'action-hover': '#063f33',
    radius: '1.25rem',
    'radius-small': '999px',
  },
  texts: {
    zh: {
      name: '市民中心',
      heading: '生活里的事，在这里办',
      lead: '社保、公积金、户籍、医保，一处可查，一处可办。',
      services: [
        { title: '社会保险', note: '查缴费记录，看养老待遇' },
        { title: '住房公积金', note: '查余额，办提取，看贷款进度' },
        { title: '户籍证明', note: '开具电子证明，扫码即可核验' },
        { title: '医疗保障', note: '参保登记，异地就医备案' },
      ],
    },
    en: {
      name: 'Citizen Centre',
      heading: 'Everyday matters, settled here',
      lead: 'Social insurance, housing fund, household register and health cover in one place.',
      services: [
        { title: 'Social insurance', note: 'Your contributions and your pension' },
        { title: 'Housing fund', note: 'Balance, withdrawals and loan progress' },
        { title: 'Household certificates', note: 'Issued electronically, checked by a scan' },
        { title: 'Health cover', note: 'Enrolment and treatment in other provinces' },
      ],
    },
  },
});

export const BUSINESS_START_UP = define({
  clientId: 'business-start-up',
  port: 3002,
  forCompanies: true,
  theme: {
    brand: '#96400f',
    'brand-deep': '#4a1f0b',
    wash: '#fbf4ed',
    line: '#e8d5c4',
    tint: '#f6e2cf',
    'hero-top': '#3a1a0c',
    'hero-bottom': '#572811',
    'hero-ink': '#fff6ee',
    'hero-soft': '#f3d9c4',
    'action-back': '#ffd9b0',
    'action-ink': '#3a1a0c',
    'action-hover': '#ffffff',
    radius: '0.25rem',
    'radius-small': '0.25rem',
  },
  texts: {
    zh: {
      name: '企业开办',
      heading: '开办企业，一处办齐',
      lead: '名称、登记、印章、税务、社保，一次填报，同步办理。',
      services: [
        { title: '名称申报', note: '先查重，再申报，当场知道结果' },
        { title: '设立登记', note: '填一次表，领电子营业执照' },
        { title: '公章刻制', note: '在线选择刻章单位，免费寄送' },
        { title: '税务与社保', note: '领票、开户、参保一并完成' },
      ],
    },
    en: {
      name: 'Business Start-up',
      heading: 'Start a company in one place',
      lead: 'Name, registration, seal, tax and social insurance from a single form.',
      services: [
        { title: 'Company name', note: 'Check it, reserve it, know at once' },
        { title: 'Registration', note: 'One form, one electronic licence' },
        { title: 'Company seal', note: 'Choose an engraver, delivered free' },
        { title: 'Tax and insurance', note: 'Invoices, accounts and enrolment together' },
      ],
    },
  },
});

/** The two portals of the demonstration, in the order in which they are shown. */
export const PORTALS: readonly PortalDefinition[] = [CITIZEN_CENTRE, BUSINESS_START_UP];
