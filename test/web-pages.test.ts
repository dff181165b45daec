import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { loadAssets } from '../src/web/assets.ts';
import { LANGUAGES } from '../src/web/language.ts';
import { PAGE_NAMES, type PageModels, type TrailDay, type TrailLine } from '../src/web/pages.ts';
import type { AccountPageModels } from '../src/web/pages-account.ts';
import type { CompanyPageModels, MandateCard } from '../src/web/pages-companies.ts';
import type { FactorPageModels } from '../src/web/pages-factors.ts';
import type { LifePageModels } from '../src/web/pages-life.ts';
import type { PossessionPageModels } from '../src/web/pages-possession.ts';
import { createRenderer, type PageContext } from '../src/web/render.ts';

const viewsDir = join(import.meta.dirname, '../views');
const assets = loadAssets(join(viewsDir, 'assets'));
const renderer = createRenderer({
  viewsDir,
  assets,
  branding: { nameZh: '通办', nameEn: 'Tongban ID', provinceZh: '云山省', provinceEn: 'Yunshan Province' },
  hotline: '12345',
  secure: true,
});

const hostile = '"><script>alert(1)</script>\u202egnp.exe\u200b`\'&';
const portal = { name: hostile, host: 'zwfw.example.cn' };
const form = { action: '/interaction/abc', formToken: 'token.mac' };
const passkey = { action: '/interaction/abc/passkey', options: JSON.stringify({ challenge: hostile }) };
const recovering = { ...form, continueWith: 'abc', problem: { code: 'toString' } };
const step = { ...form, draft: '3', continueWith: 'abc' };

const trailLine: TrailLine = {
  seq: 12,
  kind: 'released',
  principal: hostile,
  at: 1_790_000_000,
  since: 1_789_999_000,
  count: 5,
  portal: hostile,
  device: hostile,
  address: hostile,
  addressCount: 1,
  items: ['id_number', 'constructor', hostile],
  reportable: true,
};
const days: readonly TrailDay[] = [{ at: 1_790_000_000, relative: 'today', lines: [trailLine] }];

const session = {
  id: hostile,
  device: hostile,
  address: hostile,
  startedAt: 1_790_000_000,
  seenAt: 1_790_000_060,
  current: true,
  portals: [hostile],
};
const allowed = {
  ...portal,
  clientId: hostile,
  description: hostile,
  scopes: ['openid', hostile],
  claims: ['constructor', hostile],
  grantedAt: 1_790_000_000,
  signedIn: true,
};
const accountModels: AccountPageModels = {
  account: {
    maskedName: hostile,
    maskedIdNumber: hostile,
    ial: 2,
    formToken: 'token.mac',
    sessions: [session],
    sessionsMore: 2,
    portals: [allowed],
    portalsMore: 2,
    days,
    invitations: 2,
  },
  'account-documents': {
    formToken: 'token.mac',
    ial: 2,
    name: hostile,
    readable: false,
    documents: [
      {
        id: hostile,
        provable: true,
        removable: true,
        type: 'foreign_passport',
        number: hostile,
        level: 2,
        primary: true,
        source: hostile,
        provenAt: 1_790_000_000,
        validFrom: '2020-01-01',
        validTo: '2030-01-01',
      },
    ],
    add: { idNumber: hostile },
    problem: { at: 'idNumber', code: 'id_number_toString' },
  },
  'account-methods': {
    formToken: 'token.mac',
    passwordChangedAt: 1_790_000_000,
    contacts: [
      { type: 'phone', value: hostile, boundAt: 1_790_000_000, bindable: true },
      { type: 'user_name', bindable: true },
    ],
    factors: {
      alwaysAsk: false,
      bound: [
        { kind: 'totp', label: hostile, url: '/account/methods/factor?id=fct_1', boundAt: 1_790_000_000 },
        { kind: 'passkey', label: '', url: '/account/methods/factor?id=fct_2', boundAt: 1, lastUsedAt: 1_790_000_000 },
      ],
      addable: [
        { kind: 'passkey', url: '/account/methods/passkey' },
        { kind: 'totp', url: '/account/methods/authenticator' },
      ],
      hasRecoveryCodes: false,
    },
    done: 'password',
  },
  'account-contact': { ...form, type: 'phone', address: hostile, problem: 'malformed' },
  'account-contact-code': {
    ...form,
    type: 'email',
    address: hostile,
    backUrl: '/account/methods/email',
    minutes: 5,
    mailboxUrl: '/mailbox',
    problem: 'code_mismatch',
  },
  'account-user-name': { ...form, userName: hostile, problem: 'looks_like_number' },
  'account-password': {
    ...form,
    passwordCharactersMin: 8,
    isFirst: false,
    problem: { field: 'newPassword', code: 'password_toString' },
  },
  'account-sessions': {
    formToken: 'token.mac',
    sessions: [session, { ...session, current: false }],
    trusted: [{ id: hostile, device: hostile, address: hostile, trustedAt: 1_790_000_000, expiresAt: 1_792_000_000 }],
  },
  'account-portals': { formToken: 'token.mac', portals: [allowed] },
  'account-data': {
    formToken: 'token.mac',
    merges: [{ id: hostile, mergedAt: 1_790_000_000, undoUntil: 1_790_000_000 }],
    undoProblem: 'late',
  },
  'account-display': { action: '/account/display', saved: true },
  'account-prove': {
    ...form,
    fields: [{ name: 'kept.name', value: hostile }],
    hasPassword: true,
    isBeside: false,
    passkey,
    cancelUrl: '/account',
    problem: 'refused',
  },
  'account-prove-factor': {
    ...form,
    beginAction: '/account/prove/factor/begin',
    fields: [{ name: 'kept.name', value: hostile }],
    choices: [
      { kind: 'totp', chosen: true },
      { kind: 'passkey', chosen: false },
    ],
    chosen: { kind: 'totp', needsScript: false, label: hostile, state: 'ready', voice: false, shown: {} },
    cancelUrl: '/account',
    problem: 'refused',
  },
  'account-proven': { ...form, kept: [{ name: 'name', value: hostile }] },
};

const mandate: MandateCard = {
  id: 'mdt_1',
  kind: 'relative',
  principalName: hostile,
  agentName: hostile,
  agentNumber: hostile,
  matters: [hostile],
  portals: [hostile],
  from: 1_790_000_000,
  until: 1_790_000_000,
  ceiling: 'constructor',
  mayDelegate: true,
  status: 'invited',
  acts: ['accept', 'decline', 'renew', 'revoke'],
};
const choices = [{ id: 'tax', title: hostile, chosen: true }];
const companyModels: CompanyPageModels = {
  'account-companies': {
    formToken: 'token.mac',
    invitations: [mandate],
    companies: [{ id: 'lgp_1', name: hostile, role: 'administrator', status: 'suspended', suspended: true }],
    held: [mandate],
    given: [mandate],
    claims: [{ id: hostile, status: 'pending', usccMasked: hostile, createdAt: 1_790_000_000 }],
    switches: [{ name: hostile, url: '/' }],
    done: 'accept',
    problem: { code: 'toString' },
  },
  'account-company-claim': {
    ...form,
    values: { uscc: hostile, name: hostile },
    problems: [
      { field: 'uscc', code: 'uscc_letter' },
      { field: 'name', code: 'name' },
    ],
  },
  'account-company': {
    id: 'lgp_1',
    name: hostile,
    uscc: hostile,
    category: hostile,
    status: 'suspended',
    suspendedCause: 'constructor',
    role: 'legal_representative',
    formToken: 'token.mac',
    standing: [
      { id: 'pst_1', name: hostile, role: 'administrator', suspended: true, isVisitor: true, acts: ['reinstate'] },
    ],
    mayAppoint: true,
    mayGrant: true,
    appoint: { name: hostile, idNumber: hostile },
    mandates: [mandate],
    olderUrl: '/account/companies/lgp_1?before=mdt_1',
    done: 'granted',
    problem: { field: 'idNumber', code: 'id_number_constructor' },
  },
  'account-grant': {
    ...form,
    company: { id: 'lgp_1', name: hostile },
    values: { agentName: hostile, agentNumber: hostile, until: hostile, ceiling: '', mayDelegate: true },
    untilMin: '2026-01-01',
    untilMax: '2026-12-31',
    matters: choices,
    portals: choices,
    problem: { field: 'matters', code: 'no_matter' },
  },
  'account-mandate-renew': {
    ...form,
    mandate,
    until: '2026-12-31',
    untilMin: '2026-01-01',
    back: '/account/companies',
    problem: { field: 'until', code: 'dates' },
  },
  'account-company-review': {
    ...form,
    values: { uscc: hostile, name: hostile, note: hostile },
    filesMax: 5,
    fileMegabytesMax: 5,
    problems: [{ field: 'files', code: 'file_type' }, { code: 'constructor' }],
  },
  'account-company-import': {
    ...form,
    company: { id: 'lgp_1', name: hostile },
    matters: choices,
    report: {
      ok: false,
      dryRun: true,
      importId: undefined,
      lines: 2,
      granted: 0,
      unchanged: 1,
      faults: [{ line: 2, column: hostile, reason: 'constructor' }],
      faultCount: 1,
    },
    problem: 'no_file',
  },
  'account-company-history': {
    id: 'lgp_1',
    name: hostile,
    uses: [{ at: 1_790_000_000, name: hostile, role: 'constructor', portal: hostile }],
    newerUrl: '/account/companies/lgp_1/history',
    olderUrl: '/account/companies/lgp_1/history?before=use_1',
  },
};

const lifeModels: LifePageModels = {
  'account-close': { ...form, coolingDays: 15, problem: { code: 'represents', companies: [hostile] } },
  'account-close-done': { dueAt: 1_790_000_000, homeUrl: '/' },
  'account-closing': {
    ...form,
    person: hostile,
    dueAt: 1_790_000_000,
    mayKeep: true,
    portal,
    cancelAction: '/interaction/abc/cancel',
    cancelToken: 'token.mac',
  },
  'account-data-all': {
    madeAt: hostile,
    sections: [
      { name: 'constructor', items: [[['toString', hostile]]] },
      { name: 'trail', items: [] },
    ],
  },
  'account-correct': { ...form, name: hostile, problem: 'mismatch' },
  'account-merge': { ...form, identifier: hostile, undoDays: 30, problem: 'other_person' },
  'account-merge-choose': {
    ...form,
    other: 'psn_1',
    provenAt: '1790000000',
    proof: 'token.mac',
    accounts: [
      { id: 'this', maskedName: hostile, maskedNumber: hostile, ial: 2, documents: ['resident_id_card'] },
      { id: 'other', maskedNumber: hostile, ial: 2, documents: ['net_number'] },
    ],
    undoDays: 30,
    problem: 'choose',
  },
  'account-merged': { undoUntil: 1_790_000_000, signedIn: false, accountUrl: '/account' },
  'account-merge-undone': { accountUrl: '/account' },
  'account-consents': {
    lines: [
      {
        act: 'given',
        portal: hostile,
        at: 1_790_000_000,
        scopes: ['openid', hostile],
        claims: ['constructor'],
        purpose: hostile,
        legalBasis: 'toString',
        noticeVersion: hostile,
        noticeHash: hostile,
      },
    ],
  },
};

const possessionModels: PossessionPageModels = {
  certificate: { ...form, portal, challenge: 'abc', text: hostile, backUrl: '/interaction/abc', problem: 'refused' },
  'account-certificate': { ...form, challenge: 'abc', text: hostile, backUrl: '/account/methods', problem: 'taken' },
  scan: {
    action: '/interaction/abc/scan',
    finishAction: '/interaction/abc/scan/finish',
    stateUrl: '/interaction/abc/scan/state',
    backUrl: '/interaction/abc',
    formToken: 'token.mac',
    portal,
    state: 'waiting',
    refreshSeconds: 3,
    code: { size: 3, path: 'M0 0h1v1h-1z' },
    matchNumber: '42',
  },
  'account-scan': {
    ...form,
    code: hostile,
    portal: hostile,
    device: hostile,
    address: hostile,
    region: hostile,
    elsewhere: true,
    wrong: true,
  },
  'account-scan-done': { end: 'mismatch', accountUrl: '/account' },
  'account-passkey': { formToken: 'token.mac', passkey, label: hostile, backUrl: '/account/methods', problem: 'taken' },
};

const factorModels: FactorPageModels = {
  'account-factor': {
    ...form,
    id: 'fct_1',
    kind: 'totp',
    label: hostile,
    boundAt: 1_790_000_000,
    lastUsedAt: 1_790_000_000,
    isLast: true,
    problem: 'label_empty',
  },
  'account-authenticator': {
    ...form,
    code: { size: 2, path: 'M0 0h1v1h-1z' },
    secret: ['ABCD', 'EFGH'],
    label: hostile,
    problem: 'mismatch',
  },
  'account-token': { ...form, serial: hostile, problem: 'refused' },
};

const models: PageModels = {
  ...factorModels,
  ...accountModels,
  ...companyModels,
  ...lifeModels,
  ...possessionModels,
  home: {
    portals: [{ name: hostile, description: hostile, url: 'https://zwfw.example.cn/' }],
    demo: { people: [{ idNumber: '110101199003070978', name: hostile }], password: hostile },
    signedIn: { maskedName: hostile },
    accountUrl: '/account',
  },
  'sign-in': {
    ...form,
    portal,
    identifier: hostile,
    passkey,
    scanAction: '/interaction/abc/scan',
    problem: 'refused',
    registerUrl: '/register',
    cancelAction: '/interaction/abc/cancel',
  },
  'continue-as': { ...form, portal, maskedName: hostile, maskedIdNumber: '3****************X' },
  consent: {
    ...form,
    portal,
    maskedName: hostile,
    items: [
      { scope: 'openid', sensitive: false },
      { scope: 'id_number', sensitive: true },
      { scope: '__proto__', sensitive: false },
      { scope: hostile, sensitive: false },
    ],
    claims: ['constructor', 'id_number', hostile],
    purpose: hostile,
    legalBasis: 'consent',
    noticeVersion: hostile,
    lifetimeDays: 90,
  },
  'choose-subject': {
    ...form,
    cancelAction: '/interaction/abc/cancel',
    portal,
    self: { maskedName: hostile },
    subjects: [
      {
        ref: hostile,
        kind: 'legal',
        name: hostile,
        code: '91**************70',
        role: 'agent',
        matters: [hostile],
        mattersCount: 4,
        until: 1_790_000_000,
      },
    ],
    foundCount: 1,
    totalCount: 30,
    search: { url: '/interaction/abc', query: hostile },
    previousUrl: '/interaction/abc?q=&page=1',
    nextUrl: '/interaction/abc?q=&page=3',
    problem: 'ended',
  },
  'nobody-to-act-for': { ...form, portal, maskedName: hostile, accountUrl: '/account' },
  'second-factor': {
    ...form,
    beginAction: '/interaction/abc/send-code',
    cancelAction: '/interaction/abc/cancel',
    portal,
    because: 'wish',
    offersTrust: true,
    choices: [
      { kind: 'sms_code', url: '/interaction/abc?factor=sms_code', chosen: true },
      { kind: 'totp', url: '/interaction/abc?factor=totp', chosen: false },
    ],
    chosen: {
      kind: 'sms_code',
      needsScript: false,
      label: hostile,
      state: 'unsent',
      voice: true,
      shown: { x: hostile },
    },
    wanted: ['totp', 'certificate'],
    methodsUrl: '/account/methods',
    switchUrl: '/interaction/abc?switch=1',
    withoutAction: '/interaction/abc/without',
    problem: 'refused',
  },
  'new-password': {
    ...form,
    cancelAction: '/interaction/uid/cancel',
    portal,
    passwordCharactersMin: 12,
    ageDays: 90,
    problem: { field: 'newPassword', code: 'password_reused' },
  },
  'prove-identity': {
    ...form,
    portal,
    wanted: 4,
    held: 1,
    documentsUrl: '/account/documents',
    switchUrl: '/interaction/abc?switch=1',
  },
  register: {
    ...step,
    values: { name: hostile, idNumber: hostile },
    problem: { field: 'name', code: 'toString' },
    signInUrl: '/account',
  },
  'register-resume': { ...form, maskedName: hostile, maskedNumber: hostile, continueWith: 'abc' },
  'register-unavailable': form,
  'register-phone': { ...step, phone: hostile, backUrl: '/register?edit=1', mailboxUrl: '/mailbox' },
  'register-code': {
    ...step,
    againAction: '/register/code/again',
    phone: hostile,
    minutes: 5,
    backUrl: '/register/phone',
    problem: { code: 'too_many_messages' },
  },
  'register-password': {
    ...step,
    maskedName: hostile,
    passwordCharactersMin: 8,
    passkey,
    problem: { field: 'password', code: 'password_toString' },
  },
  'register-confirm': { ...form, idNumber: hostile, problem: { field: 'code', code: 'code_counter' } },
  'register-exists': { signInUrl: '/account', recoverUrl: '/recover' },
  'register-stopped': { reason: 'order', goOnUrl: '/register', signInUrl: '/account' },
  'register-done': { maskedName: hostile, continueUrl: '/' },
  recover: { ...recovering, values: { name: hostile, idNumber: hostile }, withCodeUrl: '/', signInUrl: '/' },
  'recover-unavailable': { retryUrl: '/recover', withCodeUrl: '/recover/with-code' },
  'recover-code': {
    ...recovering,
    againAction: '/recover/code/again',
    minutes: 5,
    restartUrl: '/recover',
    withCodeUrl: '/recover/with-code',
    mailboxUrl: '/mailbox',
  },
  'recover-with-code': { ...recovering, identifier: hostile, proofUrl: '/recover', signInUrl: '/account' },
  'recover-waiting': { until: 1_790_000_000, signInUrl: '/account' },
  'recover-password': { ...recovering, passwordCharactersMin: 8 },
  'recover-done': { signInUrl: '/account' },
  'recover-stopped': { reason: 'second_factor', startUrl: '/recover', signInUrl: '/account' },
  'account-recovery-codes': { ...form, codes: [hostile], left: 3, madeAt: 1_790_000_000 },
  logout: {
    action: '/session/end/confirm',
    hidden: [{ name: 'xsrf', value: hostile }],
    portals: [{ name: hostile }],
    current: { name: hostile },
  },
  'logout-done': { portals: [{ name: hostile, state: 'pending' }], homeUrl: '/' },
  'account-trail': { days, newerUrl: '/account/trail', olderUrl: '/account/trail?before=7' },
  'not-me': { ...form, line: trailLine, cancelUrl: '/account/trail' },
  'not-me-done': { caseNumber: hostile, homeUrl: '/' },
  fault: {
    number: 1901,
    requestId: hostile,
    title: hostile,
    text: hostile,
    retry: true,
    homeUrl: '/',
    hotline: '12345',
  },
  mailbox: { messages: [{ channel: 'sms', address: hostile, text: hostile, at: 1_790_000_000 }] },
};

/** Pages that show nothing a person could have typed. */
const PLAIN: ReadonlySet<string> = new Set([
  'account-scan-done',
  'account-close-done',
  'account-merged',
  'account-merge-undone',
  'register-unavailable',
  'register-exists',
  'register-stopped',
  'recover-unavailable',
  'recover-code',
  'recover-waiting',
  'recover-password',
  'recover-done',
  'recover-stopped',
  'account-password',
  'account-data',
  'account-display',
]);

const render = (name: keyof PageModels, language: (typeof LANGUAGES)[number], largeText = false): string =>
  renderer.html(name, models[name], {
    language,
    largeText,
    links: { own: '/interaction/of-its-own', language: '/?lang=en', text: '/?text=large' },
  });

test('E7 E6 markup and unseen characters in any value are inert on every page, in both languages', (t) => {
  for (const language of LANGUAGES) {
    for (const name of PAGE_NAMES) {
      const html = render(name, language);
      t.notRegex(html, /<script>|alert\(1\)<\/script>|[\u202a-\u202e\u200b-\u200f]/, `${name} ${language}`);
      if (!PLAIN.has(name)) t.true(html.includes('&lt;script&gt;alert(1)'), `${name} shows the value as text`);
      t.notRegex(html, /undefined|\[object|NaN|=>/, `${name} ${language} has every text it needs`);
    }
  }
});

test('E5 no page holds inline style or script, or anything from elsewhere', (t) => {
  for (const language of LANGUAGES) {
    for (const name of PAGE_NAMES) {
      const html = render(name, language);
      t.notRegex(html, /<style|\sstyle=|\son[a-z]+="|javascript:/i, name);
      const scripts = [
        'tongban.js',
        ...(html.includes(' data-passkey=') ? ['passkey.js'] : []),
        ...(name === 'scan' ? ['scan.js'] : []),
      ];
      t.deepEqual(
        html.match(/<script[^>]*>/g),
        [
          // Before anything is shown, where the page tells its own address.
          ...(html.includes('rel="canonical"') ? [`<script src="${assets.url('address.js')}">`] : []),
          ...scripts.map((file) => `<script src="${assets.url(file)}" defer>`),
        ],
        name,
      );
      const outside = html.match(/(?:src|href)="(?!\/|#|https:\/\/zwfw\.example\.cn\/|")[^"]*"/g);
      t.is(outside, null, name);
    }
  }
  const sheet = readFileSync(join(viewsDir, 'assets/tongban.css'), 'utf8');
  t.notRegex(sheet, /@import|@font-face|https?:|data:/);
});

test('templates print raw text only for parts and the body of the layout', (t) => {
  for (const folder of ['layout', 'parts', 'pages']) {
    for (const file of readdirSync(join(viewsDir, folder))) {
      for (const raw of readFileSync(join(viewsDir, folder, file), 'utf8').match(/<%~.*?[)}] ?%>|<%~.*?%>/g) ?? []) {
        t.regex(raw, /^<%~ (include\('@parts\/[a-z-]+'|it\.body %>$)/, `${folder}/${file}`);
      }
    }
  }
});

test('A22 consent names the portal, sets the identity number apart and names what it does not know', (t) => {
  const html = render('consent', 'zh-CN');
  const apart = html.slice(html.indexOf('class="sensitive"'));
  t.true(apart.includes('公民身份号码'));
  t.true(apart.indexOf('公民身份号码') < apart.indexOf('</section>'));
  t.true(html.includes('zwfw.example.cn'));
  t.true(
    html.includes('__proto__') && html.includes('constructor'),
    'G5 names of Object.prototype are names like others',
  );
});

test('the fields of every form keep their names', (t) => {
  const names = (name: keyof PageModels) =>
    [...render(name, 'zh-CN').matchAll(/<(?:input|button)[^>]*? name="([^"]+)"(?:[^>]*? value="([a-z]+)")?/g)].map(
      ([, field, value]) => (value && field !== 'form_token' ? `${field}=${value}` : field),
    );
  const signed = ['credential', 'clientData', 'authenticatorData', 'signature', 'userHandle'];
  const made = ['credential', 'clientData', 'attestation', 'transports'];
  t.deepEqual(names('sign-in'), [
    'form_token',
    'identifier',
    'password',
    'form_token',
    ...signed,
    'form_token',
    'form_token',
    'decision=cancel',
  ]);
  t.deepEqual(names('continue-as'), ['form_token', 'decision=continue', 'decision=switch']);
  t.deepEqual(names('consent'), ['form_token', 'decision=allow', 'decision=deny']);
  const ofStep = ['form_token', 'draft', 'continue=abc'];
  t.deepEqual(names('register'), [...ofStep, 'name', 'idNumber']);
  t.deepEqual(names('register-resume'), ['form_token', 'continue=abc', 'decision=continue', 'decision=over']);
  t.deepEqual(names('register-phone'), [...ofStep, 'phone']);
  t.deepEqual(names('register-code'), [...ofStep, 'code', ...ofStep]);
  t.deepEqual(names('register-password'), [
    ...ofStep,
    'password',
    'passwordAgain',
    'form_token',
    'draft',
    'continue=abc',
    ...made,
  ]);
  t.deepEqual(names('account-passkey'), ['form_token', ...made, 'label']);
  t.deepEqual(names('account-scan'), ['form_token', 'code', 'number', 'decision=approve', 'decision=refuse']);
  t.deepEqual(names('logout'), ['xsrf', 'logout=yes']);
  t.deepEqual(names('account'), ['form_token', 'id', 'form_token', 'client_id']);
  t.deepEqual(names('account-documents'), [
    'form_token',
    'id',
    'form_token',
    'id',
    'form_token',
    'form_token',
    'idNumber',
  ]);
  t.deepEqual(names('account-password'), ['form_token', 'password', 'newPassword', 'newPasswordAgain']);
  t.deepEqual(names('account-methods'), ['form_token', 'form_token', 'always=yes']);
  t.deepEqual(names('account-factor'), ['form_token', 'id', 'label', 'form_token', 'id']);
  t.deepEqual(names('account-authenticator'), ['form_token', 'code', 'label']);
  t.deepEqual(names('account-token'), ['form_token', 'serial', 'first', 'second']);
  t.deepEqual(names('account-contact'), ['form_token', 'address']);
  t.deepEqual(names('account-contact-code'), ['form_token', 'address', 'code']);
  t.deepEqual(names('account-user-name'), ['form_token', 'userName']);
  t.deepEqual(names('account-sessions'), [
    'form_token',
    'id',
    'from=sessions',
    'form_token',
    'id',
    'from=sessions',
    'form_token',
    'form_token',
    'id',
  ]);
  t.deepEqual(names('account-portals'), ['form_token', 'client_id', 'from=portals']);
  const proof = ['form_token', 'kept.name'];
  t.deepEqual(names('account-prove'), [...proof, 'password', ...proof, ...signed]);
  const another = ['form_token', 'factor=passkey', 'kept.name', 'choose=yes'];
  t.deepEqual(names('account-prove-factor'), ['form_token', 'factor=totp', 'kept.name', 'code', ...another]);
  const act = ['form_token', 'id', 'back'];
  t.deepEqual(names('account-companies').slice(0, 9), [...act, ...act, ...act]);
  t.deepEqual(names('account-company-review'), ['form_token', 'uscc', 'name', 'files']);
  t.deepEqual(names('account-company-import'), ['form_token', 'file', 'run=try', 'run=grant']);
  t.deepEqual(names('account-company-claim'), ['form_token', 'uscc', 'name']);
  t.deepEqual(names('account-company').slice(-5), ['form_token', 'post', 'form_token', 'name', 'idNumber']);
  t.deepEqual(names('account-grant'), [
    'form_token',
    'agentName',
    'agentNumber',
    'matter.tax=yes',
    'portal.tax=yes',
    'until',
    'mayDelegate=yes',
  ]);
  t.deepEqual(names('account-mandate-renew'), ['form_token', 'back', 'until']);
  t.deepEqual(names('not-me'), ['form_token', 'entry']);
});

/** A koa context as far as pages need one, recording what the answer gets. */
function request(path: string, headers: Record<string, string> = {}) {
  const [pathname = '', querystring = ''] = path.split('?');
  const sent: Record<string, string> = {};
  const ctx: PageContext = {
    method: 'GET',
    path: pathname,
    querystring,
    status: 404,
    body: undefined,
    get: (field) => headers[field.toLowerCase()] ?? '',
    set: (field, value) => {
      sent[field.toLowerCase()] = value;
    },
    append: (field, value) => {
      sent[field.toLowerCase()] = value;
    },
  };
  return { ctx, sent };
}

test('a page is never stored and says its language', (t) => {
  const { ctx, sent } = request('/sign-in', { 'accept-language': 'en-GB,zh;q=0.3' });
  renderer.page(ctx, 'sign-in', models['sign-in'], { status: 401 });
  t.is(ctx.status, 401);
  t.is(sent['cache-control'], 'no-store');
  t.is(sent['content-language'], 'en');
  t.is(sent['content-type'], 'text/html; charset=utf-8');
  t.true(String(ctx.body).includes('<html lang="en" data-text="normal">'));
  t.is(sent['set-cookie'], undefined);
});

test('elder mode and language are chosen by a link and remembered by a cookie', (t) => {
  const first = request('/sign-in?text=large');
  renderer.page(first.ctx, 'sign-in', models['sign-in']);
  const cookie = first.sent['set-cookie'] ?? '';
  t.regex(cookie, /^__Host-display=auto~large; Path=\/; Max-Age=31536000; HttpOnly; SameSite=Lax; Secure$/);
  t.true(String(first.ctx.body).includes('data-text="large"'));
  t.true(String(first.ctx.body).includes('href="/sign-in?text=normal"'));

  const second = request('/account?lang=en', { cookie: cookie.split(';')[0]! });
  renderer.page(second.ctx, 'account', models.account);
  t.true(second.sent['set-cookie']?.startsWith('__Host-display=en~large;'));
  t.true(String(second.ctx.body).includes('<html lang="en" data-text="large">'));

  const third = request('//evil.example/a', { cookie: '__Host-display=en~large; __Host-display=en~normal' });
  renderer.page(third.ctx, 'fault', models.fault);
  t.true(
    String(third.ctx.body).includes('<html lang="zh-CN" data-text="normal">'),
    'a cookie sent twice does not count',
  );
  t.true(String(third.ctx.body).includes('href="/evil.example/a?text=large"'), 'no link leaves the site');
});

test('an asset is served under the hash of its content and kept for a year', (t) => {
  const url = assets.url('tongban.css');
  t.regex(url, /^\/assets\/tongban\.[\w-]{16}\.css$/);
  const { ctx, sent } = request(url, { 'accept-encoding': 'gzip, br' });
  t.true(assets.serve(ctx));
  t.is(ctx.status, 200);
  t.is(sent['content-encoding'], 'br');
  t.is(sent['cache-control'], 'public, max-age=31536000, immutable');
  const again = request(url, { 'if-none-match': sent.etag! });
  t.true(assets.serve(again.ctx));
  t.is(again.ctx.status, 304);
  t.false(assets.serve(request('/assets/tongban.css').ctx));
  t.false(assets.serve(request('/assets/../package.json').ctx));
  const plain = request(url);
  assets.serve(plain.ctx);
  t.notRegex(String(plain.ctx.body), /url\("[^/]/, 'pictures in the stylesheet have hashed addresses');
});

test('rendering a page takes less than 100 microseconds', (t) => {
  const best = Math.min(
    ...Array.from({ length: 10 }, () => {
      const started = performance.now();
      for (let count = 0; count < 200; count += 1) render('sign-in', 'zh-CN');
      return (performance.now() - started) / 200;
    }),
  );
  t.log(`${(best * 1000).toFixed(1)} µs`);
  t.true(best < 0.1);
});
