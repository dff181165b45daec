import { Readable } from 'node:stream';
import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import { Fault } from '../shared/fault.ts';
import { visitOf } from './account-form.ts';
import type { AccountCentreSources } from './doors.ts';
import { provenForm } from './fresh-proof.ts';
import { exportLines, type PersonalData, personalData, trailFacts } from './personal-data.ts';

const PAGE = '/account/data';
const ASK = z.strictObject({ form_token: z.string().max(128) });
const DAY_SECONDS = 86_400;
/** Of the trail the page shows the newest; the file has all of it. */
const FACTS_SHOWN = 100;

/** Everything that is kept about a person, as a file and as a page: on the answer to a form alone, so that nothing stays at an address. */
export function addExportRoutes(router: Router, sources: AccountCentreSources): void {
  router.post(`${PAGE}/export`, (ctx) => postExport(ctx as unknown as Context, sources));
  router.post(`${PAGE}/show`, (ctx) => postShow(ctx as unknown as Context, sources));
}

/** Counted, and on record, before anything is read. */
async function admitted(
  ctx: Context,
  sources: AccountCentreSources,
  form: 'json' | 'page',
): Promise<string | undefined> {
  const proven = await provenForm(ctx, ASK, sources);
  if (!proven) return undefined;
  const { personId, person } = proven;
  const taken = await sources.counters.take(`personal-data-export:${personId}`, DAY_SECONDS);
  if (taken > sources.exportsDaily) throw new Fault('too_many_requests', undefined, { retryAfterSeconds: DAY_SECONDS });
  await sources.ledger.record({
    ...visitOf(ctx),
    type: 'personal-data.exported',
    personId,
    sessionUid: person.sessionUid,
    details: { form },
  });
  return personId;
}

async function postExport(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-data-export';
  const personId = await admitted(ctx, sources, 'json');
  if (personId === undefined) return;
  const data = await personalData(personId, sources);
  ctx.set('cache-control', 'no-store');
  ctx.set('content-disposition', `attachment; filename="my-data-${data.madeAt.slice(0, 10)}.json"`);
  ctx.type = 'application/json; charset=utf-8';
  ctx.body = Readable.from(exportLines(data, trailFacts(personId, sources)));
}

async function postShow(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-data-all';
  const personId = await admitted(ctx, sources, 'page');
  if (personId === undefined) return;
  const data = await personalData(personId, sources);
  const trail: object[] = [];
  for await (const { details: _details, ...fact } of trailFacts(personId, sources)) {
    if (trail.length === FACTS_SHOWN) break;
    trail.push(fact);
  }
  sources.renderer.page(ctx, 'account-data-all', {
    madeAt: data.madeAt,
    sections: [...sectionsOf(data), { name: 'trail', items: trail.map(factsOf) }],
  });
}

type Fact = readonly [field: string, value: string];

/** What is not there is not shown; a list is one line. */
const factsOf = (item: object): readonly Fact[] =>
  Object.entries(item).flatMap(([field, value]: [string, unknown]): Fact[] => {
    if (value === undefined || value === null || value === '') return [];
    return [[field, Array.isArray(value) ? value.join(' ') : String(value)]];
  });

function sectionsOf({ format: _format, madeAt: _madeAt, person, ...lists }: PersonalData) {
  return [
    { name: 'person', items: [factsOf(person)] },
    ...Object.entries(lists).map(([name, items]) => ({ name, items: items.map(factsOf) })),
  ];
}
