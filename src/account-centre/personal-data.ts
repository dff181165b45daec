import { parseEntry } from '../ledger/entry.ts';
import { nowMs } from '../shared/clock.ts';
import type { AccountCentreSources } from './doors.ts';

/** The version of the shape in docs/data-export.md. */
const FORMAT = 'tongban-personal-data/1';
const ENTRIES_AT_ONCE = 100;

/** A moment as the export writes it; undefined stays out of the JSON. */
const time = (seconds: number | undefined): string | undefined =>
  seconds === undefined ? undefined : new Date(seconds * 1000).toISOString();

/** One fact of the ledger about a person, with what was sealed in it. */
export interface TrailFact {
  readonly number: number;
  readonly at: string;
  readonly event: string;
  readonly outcome: string;
  /** Who did it: the person, the house, a portal, staff, or somebody else. Who exactly is somebody else's datum. */
  readonly by: 'self' | 'house' | 'portal' | 'staff' | 'other';
  readonly portal?: string;
  readonly address?: string;
  readonly browser?: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** Everything we hold about a person but their trail, in clear. No secret, no digest of one, no identifier of a session or token. */
export async function personalData(personId: string, sources: AccountCentreSources) {
  const {
    persons,
    identifiers,
    doors,
    legalPersons,
    mandates,
    merges,
    passwords,
    boundFactors,
    factorPolicies,
    places,
    knownDevices,
    trustedDevices,
  } = sources;
  const profile = await persons.profile(personId);
  if (profile === undefined) throw new Error('whoever asks for their data has an account');
  const { name, phone, phoneVerified, email, emailVerified, userName, address, birthDate, sex, ial, updatedAt } =
    profile;
  const posts = await legalPersons.postsOf({ personId });
  const mandateOf = (one: Awaited<ReturnType<typeof mandates.ofAgent>>[number]) => ({
    id: one.id,
    kind: one.kind,
    for: one.principalName,
    agent: one.agentName,
    matters: one.matters,
    portals: one.portals,
    status: one.status,
    validFrom: time(one.validFrom),
    validUntil: time(one.validUntil),
  });
  return {
    format: FORMAT,
    madeAt: new Date(nowMs()).toISOString(),
    person: {
      id: personId,
      name,
      birthDate,
      sex,
      level: ial,
      phone,
      phoneVerified,
      email,
      emailVerified,
      userName,
      address,
      secondFactorAlwaysAsked: (await factorPolicies.of(personId)).alwaysAsk,
      passwordSetAt: time(await passwords.changedAt(personId)),
      updatedAt: time(updatedAt),
    },
    documents: (await persons.documents(personId)).map(({ document, proof, validFrom, validTo, primary, addedAt }) => ({
      type: document.type,
      issuer: document.issuer,
      number: document.number,
      primary,
      level: proof.level,
      source: proof.source,
      provenAt: time(proof.at),
      validFrom,
      validTo,
      addedAt: time(addedAt),
    })),
    identifiers: (await identifiers.list(personId)).map(({ type, verifiedBy, boundAt }) => ({
      type,
      verifiedBy,
      boundAt: time(boundAt),
    })),
    factors: (await boundFactors.list(personId)).map(({ kind, label, boundAt, lastUsedAt }) => ({
      kind,
      label,
      boundAt: time(boundAt),
      lastUsedAt: time(lastUsedAt),
    })),
    sessions: (await doors.sessions(personId)).map(({ startedAt, seenAt, address: from, userAgent, clientIds }) => ({
      startedAt: time(startedAt),
      seenAt: time(seenAt),
      address: from,
      browser: userAgent,
      portals: clientIds,
    })),
    places: (await places.of(personId)).map(({ place, at }) => ({ region: place.region, seenAt: time(at) })),
    knownBrowsers: (await knownDevices.list(personId)).map(({ firstSeenAt, seenAt }) => ({
      firstSeenAt: time(firstSeenAt),
      seenAt: time(seenAt),
    })),
    trustedBrowsers: (await trustedDevices.list(personId)).map((device) => ({
      browser: device.userAgent,
      address: device.address,
      trustedAt: time(device.trustedAt),
      seenAt: time(device.seenAt),
      expiresAt: time(device.expiresAt),
    })),
    consents: (await doors.consents(personId)).map(({ clientId, scopes, claims, grantedAt }) => ({
      portal: clientId,
      scopes,
      claims,
      grantedAt: time(grantedAt),
    })),
    consentRecords: (await doors.consentHistory(personId)).map(({ id: _id, clientId, at, ...record }) => ({
      portal: clientId,
      ...record,
      at: time(at),
    })),
    posts: await Promise.all(
      posts.map(async ({ legalPersonId, role, status, createdAt }) => {
        const company = await legalPersons.profile(legalPersonId);
        return { company: company?.name, code: company?.uscc, role, status, since: time(createdAt) };
      }),
    ),
    mandatesHeld: (await mandates.ofAgent(personId)).map(mandateOf),
    mandatesGiven: (await mandates.ofRepresented(personId)).map(mandateOf),
    merges: (await merges.of(personId)).map(({ id, state, mergedAt, undoUntil }) => ({
      id,
      state,
      mergedAt: time(mergedAt),
      undoUntil: time(undoUntil),
    })),
  };
}

export type PersonalData = Awaited<ReturnType<typeof personalData>>;

const SECRETIVE: ReadonlySet<string> = new Set(['session', 'sid', 'jti', 'incident']);

function byWhom(actor: string, personId: string): TrailFact['by'] {
  if (actor === personId) return 'self';
  if (actor === 'system') return 'house';
  if (actor.startsWith('client:')) return 'portal';
  return actor.startsWith('operator:') ? 'staff' : 'other';
}

/** What the ledger says of a person, the newest first, as much as is signed; read in small steps, however long it is. */
export async function* trailFacts(
  personId: string,
  { doors }: Pick<AccountCentreSources, 'doors'>,
): AsyncGenerator<TrailFact> {
  const { ledgerReader } = doors;
  let before: number | undefined;
  for (;;) {
    const entries = await ledgerReader.subjectEntries(personId, before, ENTRIES_AT_ONCE, 'all');
    for (const stored of entries) {
      before = stored.seq;
      const entry = parseEntry(stored.entry);
      if (entry === undefined) continue;
      const opened = await ledgerReader.open(stored);
      const details = Object.entries(entry.data)
        .filter(([field]) => !SECRETIVE.has(field))
        .map(([field, value]) => [field, opened[`data.${field}`] ?? value]);
      yield {
        number: stored.seq,
        at: entry.ts,
        event: entry.type,
        outcome: entry.outcome,
        by: byWhom(entry.actor, personId),
        ...(entry.client === null ? {} : { portal: entry.client }),
        ...(opened.ip === undefined ? {} : { address: opened.ip }),
        ...(opened.ua === undefined ? {} : { browser: opened.ua }),
        details: Object.fromEntries(details),
      };
    }
    if (entries.length < ENTRIES_AT_ONCE) return;
  }
}

/** The JSON file, piece by piece: the trail of many years never stands in memory at once. */
export async function* exportLines(data: PersonalData, trail: AsyncIterable<TrailFact>): AsyncGenerator<string> {
  const head = JSON.stringify(data, undefined, 2);
  yield `${head.slice(0, head.lastIndexOf('\n}'))},\n  "trail": [`;
  let isFirst = true;
  for await (const fact of trail) {
    yield `${isFirst ? '' : ','}\n    ${JSON.stringify(fact)}`;
    isFirst = false;
  }
  yield '\n  ]\n}\n';
}
