import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type Router from '@koa/router';
import type { Middleware } from 'koa';
import type { Logger } from 'pino';
import type { House } from './app.ts';
import { createRingCookieKeys } from './crypto/cookie-keys.ts';
import { deriveKeyBytes, hmacKey } from './crypto/digests.ts';
import { createSealer, toldSealer } from './crypto/sealing.ts';
import { createPortalSecrets } from './defence/portal-secrets.ts';
import type { RegionTable } from './defence/regions.ts';
import { createDefence, createRiskOf, rememberPlace } from './defence-doors.ts';
import { createOutbound } from './delivery/outbound.ts';
import { createFactors } from './factor-doors.ts';
import { createAttempts } from './factors/attempts.ts';
import type { Challenges } from './factors/challenges.ts';
import { createIdentifying } from './identify-doors.ts';
import { houseLadder, partnerVocabularies, passwordRenewal } from './ladder-doors.ts';
import type { OwnPages } from './oidc/around-library.ts';
import type { EngineSources } from './oidc/engine.ts';
import { createProtocolPages } from './oidc/pages.ts';
import { createPairwiseSub } from './oidc/pairwise.ts';
import { createSignedOut } from './oidc/signed-out.ts';
import { createKnownDevices } from './people/known-devices.ts';
import { createSignInPlaces } from './people/sign-in-places.ts';
import { cancelRecoveries, isRegistrationOpen, recoverUrl } from './reaching-doors.ts';
import { createAdmission } from './sign-in/admission.ts';
import type { Interactions } from './sign-in/interactions.ts';
import { signInRoutes } from './sign-in/pages.ts';
import type { Counters } from './storage/counters.ts';
import { loadAssets } from './web/assets.ts';
import { createFormTokens } from './web/form-tokens.ts';
import type { Observe } from './web/front.ts';
import { type HomeDemo, homeRoute } from './web/home.ts';
import { laterPages, routersInTurn } from './web/later-pages.ts';
import { captchaRoutes } from './web/passage.ts';
import { registerNoticeRoute } from './web/register-notices.ts';
import { createRenderer } from './web/render.ts';
import { createShell, createShowFault } from './web/shell.ts';

const VIEWS = join(import.meta.dirname, '..', 'views');
const LATER_PAUSE_MS = 20;

/** What a serving house has beside its parts. */
export interface Surroundings {
  readonly wakeOutbox: () => void;
  readonly observe: Observe;
  /** For the limits of sign-in and registration. */
  readonly counters: Counters;
  readonly challenges: Challenges;
  /** Which network is where; undefined without a table. */
  readonly regions: RegionTable | undefined;
  readonly demo: HomeDemo | undefined;
}

/** What protocol engines and our pages are made of, out of the parts of the house: everything but the shelf of each engine. */
export function engineSources(house: House, log: Logger, surroundings: Surroundings): Omit<EngineSources, 'documents'> {
  const { wakeOutbox, observe, demo, counters, challenges, regions } = surroundings;
  const { config, database, store, ledger, failures, persons, passwords, relyingParties, acting } = house;
  const { secrets } = config;
  const origin = config.issuer;
  const secure = origin.startsWith('https:');
  const derived = (label: string): Buffer => deriveKeyBytes(hmacKey(house.rootKey), label);
  const assets = loadAssets(join(VIEWS, 'assets'));
  const renderer = createRenderer({
    viewsDir: VIEWS,
    assets,
    branding: config.branding,
    hotline: config.support.hotline,
    secure,
  });
  const showFault = createShowFault(renderer, config);
  const formTokens = createFormTokens({ secret: derived('form-tokens'), secure });
  const attempts = createAttempts({ counters, limits: config.limits });
  const { gate, captcha } = createDefence(house, log, house.rates);
  const places = createSignInPlaces(database);
  const signedOut = createSignedOut({ database, sealer: createSealer(derived('signed-out')), secure });
  const ladder = houseLadder(house, createFactors(house, { attempts, wakeOutbox }));
  const knownDevices = createKnownDevices({ database });
  const admission = createAdmission({
    attempts,
    devices: knownDevices,
    alongside: cancelRecoveries(house),
    demandPassword: passwords.demandUnchanged,
    rememberPlace: (tx, personId, visit) => rememberPlace(tx, { places, regions }, personId, visit.address),
    ledger,
    failures,
    hasGuardian: async (personId) => (await house.leaving.guardians(database, personId)).length > 0,
    rules: ladder.rules,
    secure,
  });
  const identifying = createIdentifying(house, { admission, attempts, challenges, gate });

  const routes = (interactions: Interactions): OwnPages => {
    const routers = [
      // First, for they are asked most: each router before them would look whether the request is one of its own.
      signInRoutes({
        interactions,
        ...identifying,
        passkeys: house.passkeys,
        certificates: house.certificates,
        admission,
        scanCodes: house.scanCodes,
        scanLimits: config.scan,
        trustedDevices: house.trustedDevices,
        secure,
        counters: house.rates,
        gate,
        ladder,
        riskOf: createRiskOf({ house, gate, places, regions, knownDevice: admission.knownDevice }),
        renewal: passwordRenewal(house),
        methodsUrl: '/account/methods',
        documentsUrl: '/account/documents',
        persons,
        relyingParties,
        renderer,
        formTokens,
        ledger,
        failures,
        acting,
        matters: house.matters,
        origin,
        registerUrl: isRegistrationOpen(house) ? '/register' : undefined,
        recoverUrl: recoverUrl(config),
        closures: house.closures,
        wakeOutbox,
      }),
      homeRoute({
        renderer,
        relyingParties,
        persons,
        currentPerson: interactions.currentPerson,
        ...(demo ? { demo } : {}),
      }),
      captchaRoutes(captcha),
      ...(house.registerNotice ? [registerNoticeRoute(house.registerNotice)] : []),
    ];
    const later = laterPages(async () => {
      const { laterRouters } = await import('./page-doors.ts');
      const proving = { ...identifying, interactions, admission, ladder, formTokens };
      const common = { attempts, gate, counters, wakeOutbox, renderer, formTokens, places, knownDevices, regions };
      return laterRouters(house, { ...common, proving });
    });
    return pages(assets, routers, later);
  };

  return {
    config,
    database,
    store,
    ledger,
    failures,
    relyingParties,
    acting,
    ladder,
    scales: partnerVocabularies(config),
    wakeOutbox,
    portalSecrets: createPortalSecrets(house.rates, config.limits),
    routes,
    persons,
    recoveries: house.reaching.recoveries,
    signedOut,
    pages: createProtocolPages({ renderer, relyingParties, showFault, signedOut }),
    shell: createShell(log, showFault, observe),
    reportError: (id, error) => log.error({ id, err: error }, 'unexpected error in the protocol library'),
    cookieKeys: createRingCookieKeys(house.secretRing, secrets.cookieKeys),
    dPoPNonceSecret: derived('dpop-nonces'),
    hintSealer: toldSealer(createSealer(derived('login-hints')), house.altered),
    codeSealer: createSealer(derived('carried-codes')),
    successionSecret: derived('refresh-succession'),
    passwordIsOutdated: passwords.isOutdated,
    pairwiseSub: createPairwiseSub(Buffer.from(secrets.pairwiseSalt)),
    outboundFetch: createOutbound({
      ...config.outbound,
      allowedOrigins: callableOrigins(config),
    }) as EngineSources['outboundFetch'],
  };
}

/** Each brings a few files that the ones before it have not brought. */
const LATER_PARTS: readonly (() => Promise<unknown>)[] = [
  () => import('./account-centre/certificate-pages.ts'),
  () => import('./account-centre/overview-pages.ts'),
  () => import('./account-centre/method-pages.ts'),
  () => import('./account-centre/companies/import-page.ts'),
  () => import('./account-centre/companies/claim-page.ts'),
  () => import('./account-centre/enrolment/routes.ts'),
  () => import('./account-centre/recovery/routes.ts'),
  () => import('./page-doors.ts'),
];

/** Loads the code of pages that nobody has asked for yet, in parts, so that whoever asks meanwhile hardly waits. */
export async function loadLaterPages(): Promise<void> {
  for (const load of LATER_PARTS) {
    await load();
    await pause(LATER_PAUSE_MS, undefined, { ref: false });
  }
}

/** The sample portals run on this machine, where nothing may be called unless it is named. */
const callableOrigins = ({ outbound, demo }: House['config']): readonly string[] => [
  ...outbound.allowedOrigins,
  ...(demo.portals ? demo.ports.map((port) => `http://localhost:${port}`) : []),
];

/** Our own pages, kept off the path of protocol requests: only these prefixes reach the routers. */
function pages(assets: ReturnType<typeof loadAssets>, routers: readonly Router[], later: Middleware): OwnPages {
  const inTurn = routersInTurn(routers, later);
  return {
    owns: (path) => path === '/' || OWN_PREFIXES.some((prefix) => path.startsWith(prefix)),
    handle(ctx, next) {
      if (ctx.path.startsWith('/assets/')) {
        ctx.state.page = 'assets';
        return assets.serve(ctx) ? undefined : next();
      }
      return inTurn(ctx, next);
    },
  };
}

const OWN_PREFIXES = [
  '/interaction/',
  '/captcha/',
  '/account',
  '/register',
  '/recover',
  '/mailbox',
  '/assets/',
] as const;
