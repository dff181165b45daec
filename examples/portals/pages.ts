import type { Language, PortalDefinition } from './definitions.ts';
import { html, type Markup } from './html.ts';
import { claimsForReading, companyOf, factsOf, nameOf } from './person-facts.ts';
import type { PortalSession } from './sessions.ts';
import { TEXTS, type Trouble } from './texts.ts';

/** What every page needs to know: whose it is, in which language, and where the other portal stands. */
export interface PageContext {
  readonly definition: PortalDefinition;
  readonly language: Language;
  readonly sibling: { readonly definition: PortalDefinition; readonly url: string };
}

const LANGUAGE_TAGS: Readonly<Record<Language, string>> = { zh: 'zh-CN', en: 'en' };

function page({ definition, language }: PageContext, title: string, body: Markup): string {
  const { name } = definition.texts[language];
  const signature = language === 'zh' ? definition.nameEn : definition.nameZh;
  return html`<!doctype html>
<html lang="${LANGUAGE_TAGS[language]}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title === name ? name : `${title} · ${name}`}</title>
<link rel="icon" href="/mark.svg" type="image/svg+xml">
<link rel="stylesheet" href="/portal.css">
</head>
<body>
<header class="masthead">
  <a class="brand" href="/">
    <img src="/mark.svg" alt="" width="44" height="44">
    <span>${name}<small lang="${LANGUAGE_TAGS[language === 'zh' ? 'en' : 'zh']}">${signature}</small></span>
  </a>
</header>
<main>${body}</main>
<footer class="footing"><p>${TEXTS[language].demonstration}</p></footer>
</body>
</html>
`.markup;
}

function oneLogin({ language, sibling }: PageContext, signedIn: boolean): Markup {
  const texts = TEXTS[language];
  const other = sibling.definition.texts[language].name;
  return html`<aside class="one-login" aria-labelledby="one-login">
  <div>
    <h2 id="one-login">${texts.oneLogin}</h2>
    <p>${signedIn ? texts.oneLoginAfter(other) : texts.oneLoginBefore(other)}</p>
  </div>
  <a class="other" href="${sibling.url}${signedIn ? '/login' : '/'}">${texts.visit(other)}</a>
</aside>`;
}

function services({ definition, language }: PageContext, heading: string): Markup {
  const tiles = definition.texts[language].services.map(
    ({ title, note }) => html`<li><strong>${title}</strong><span>${note}</span></li>`,
  );
  return html`<section class="services" aria-labelledby="services">
  <h2 id="services">${heading}</h2>
  <ul>${tiles}</ul>
</section>`;
}

/** The start page of somebody who is not signed in here. */
export function landingPage(context: PageContext): string {
  const texts = TEXTS[context.language];
  const { name, heading, lead } = context.definition.texts[context.language];
  const body = html`<section class="hero">
  <div>
    <h1>${heading}</h1>
    <p>${lead}</p>
    <a class="action" href="/login">${texts.signIn}</a>
    <img class="emblem" src="/mark.svg" alt="" width="240" height="240">
  </div>
</section>
<div class="column">${services(context, texts.services)}${oneLogin(context, false)}</div>`;
  return page(context, name, body);
}

/** The start page of a person signed in here: what the portal was told, and the way out. */
export function personPage(context: PageContext, { claims }: PortalSession): string {
  const texts = TEXTS[context.language];
  const name = nameOf(claims);
  const company = companyOf(claims);
  const facts = factsOf(claims, context.language).map(
    ({ label, value }) => html`<div><dt>${label}</dt><dd>${value}</dd></div>`,
  );
  const body = html`<section class="hero hero-small">
  <div>
    <h1>${name === undefined ? texts.helloUnnamed : texts.hello(name)}</h1>
    <p>${company === undefined ? texts.signedInHere : texts.signedInFor(company)}</p>
  </div>
</section>
<div class="column">
  <section class="card" aria-labelledby="card">
    <h2 id="card">${texts.card}</h2>
    <dl>${facts}</dl>
    ${context.definition.forCompanies ? switching(context, company) : html``}
    <form method="post" action="/logout"><button class="quiet" type="submit">${texts.signOut}</button></form>
    <details>
      <summary>${texts.received}</summary>
      <pre tabindex="0" lang="en">${claimsForReading(claims)}</pre>
    </details>
  </section>
  ${oneLogin(context, true)}
  ${services(context, texts.yourServices)}
</div>`;
  return page(context, context.definition.texts[context.language].name, body);
}

/** Acting for somebody else takes a fresh request and no password: `acting_as` names for whom, `select_account` lets them choose. */
function switching({ language }: PageContext, company: string | undefined): Markup {
  const texts = TEXTS[language];
  const back = html`<a class="quiet" href="/login?acting_as=self">${texts.switchToSelf}</a>`;
  return html`<div class="actions" data-acting="${company === undefined ? 'self' : 'company'}">
    ${company === undefined ? html`` : back}
    <a class="quiet" href="/login?prompt=select_account">${texts.switchSubject}</a>
  </div>`;
}

function notice(
  context: PageContext,
  words: { readonly heading: string; readonly lead: string },
  actions: Markup,
): string {
  const body = html`<div class="column">
  <section class="card notice">
    <h1>${words.heading}</h1>
    <p>${words.lead}</p>
    <div class="actions">${actions}</div>
  </section>
</div>`;
  return page(context, words.heading, body);
}

export function signedOutPage(context: PageContext): string {
  const texts = TEXTS[context.language];
  const actions = html`<a class="action" href="/login">${texts.signIn}</a><a class="quiet" href="/">${texts.home}</a>`;
  return notice(context, texts.signedOut, actions);
}

/** Asks before signing out: a link or an image of another site must not be able to do it. */
export function askSignOutPage(context: PageContext): string {
  const texts = TEXTS[context.language];
  const actions = html`<form method="post" action="/logout"><button class="action" type="submit">${texts.signOut}</button></form>
<a class="quiet" href="/">${texts.home}</a>`;
  return notice(context, texts.askSignOut, actions);
}

export function troublePage(context: PageContext, trouble: Trouble): string {
  const texts = TEXTS[context.language];
  const again = trouble === 'unavailable' ? texts.retry : texts.signIn;
  const home = html`<a class="quiet" href="/">${texts.home}</a>`;
  const elsewhere = trouble === 'not_found' || trouble === 'internal';
  return notice(
    context,
    texts.troubles[trouble],
    elsewhere ? home : html`<a class="action" href="/login">${again}</a>${home}`,
  );
}
