import Router from '@koa/router';
import type { Context } from 'koa';
import type { Persons } from '../people/persons.ts';
import type { RelyingParties } from '../relying-parties/relying-parties.ts';
import { shownName } from '../relying-parties/relying-party.ts';
import type { Renderer } from './render.ts';

/** Who can sign in to a demonstration, shown on its start page. */
export interface HomeDemo {
  readonly people: readonly { readonly idNumber: string; readonly name: string }[];
  readonly password: string;
  /** Where the messages of the demonstration are read. */
  readonly mailboxUrl?: string;
}

export interface HomeSources {
  readonly renderer: Renderer;
  readonly relyingParties: RelyingParties;
  readonly persons: Persons;
  readonly currentPerson: (ctx: Context) => Promise<{ readonly personId: string } | undefined>;
  readonly demo?: HomeDemo;
}

const PORTALS_MAX = 24;

/** The start page: which portals one login opens. */
export function homeRoute({ renderer, relyingParties, persons, currentPerson, demo }: HomeSources): Router {
  const router = new Router();
  router.get('/', async (koaCtx) => {
    const ctx = koaCtx as unknown as Context;
    ctx.state.page = 'home';
    const [parties, signedIn] = await Promise.all([relyingParties.list(), currentPerson(ctx)]);
    const profile = signedIn && (await persons.profile(signedIn.personId));
    const { language } = renderer.preferences(ctx);
    const portals = parties
      .filter(({ status, record }) => status === 'active' && record.client_uri !== undefined)
      .slice(0, PORTALS_MAX)
      .map(({ record }) => ({
        name: shownName(record, language),
        description: record.description ?? '',
        url: record.client_uri ?? '',
      }));
    renderer.page(ctx, 'home', {
      portals,
      accountUrl: '/account',
      ...(demo ? { demo } : {}),
      ...(profile ? { signedIn: profile.maskedName === undefined ? {} : { maskedName: profile.maskedName } } : {}),
    });
  });
  return router;
}
