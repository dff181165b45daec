import type { AccountDoors, NotMeReport } from './account-centre/doors.ts';
import { ACCOUNT_CENTRE } from './account-centre/entrances.ts';
import type { ProofDoors } from './account-centre/proving.ts';
import type { House } from './app.ts';
import type { Alert } from './monitoring/watch/incident.ts';
import { createIncidents, type Incidents } from './monitoring/watch/incidents.ts';
import type { Rule } from './monitoring/watch/rule.ts';
import { consentHistory } from './oidc/consent-records.ts';
import { forgetConsent, listConsents } from './oidc/grants.ts';
import { nowMs } from './shared/clock.ts';
import { randomToken } from './shared/random.ts';
import type { Transaction } from './storage/database.ts';

/** More lines of consents than anybody reads; the export has them too. */
const CONSENTS_SHOWN_MAX = 500;

/** How incidents name what a person reported; no detection of the watch finds it. */
const NOT_ME = {
  id: 'not-me',
  title: { zh: '本人报告：不是本人操作', en: 'A person did not recognise an activity' },
} as const satisfies Pick<Rule, 'id' | 'title'>;

/** What the account centre may ask of the protocol room and the ledger, put together from both. */
export function accountDoors(house: House, proofDoors: ProofDoors, wakeOutbox: () => void): AccountDoors {
  const { config, database, ledger, ledgerReader, sessionEnds } = house;
  const incidents = createIncidents({ database, ledger, operatorClass: config.watch.operatorClass });
  return {
    ...proofDoors,
    sessions: (personId) => sessionEnds.list(personId),
    async endSession(personId, uid, visit) {
      const ended = await sessionEnds.end(personId, uid, 'ended_by_person', visit);
      wakeOutbox();
      return ended;
    },
    async endOtherSessions(personId, keptUid, visit) {
      const count = await sessionEnds.endOthers(personId, keptUid, 'ended_by_person', visit);
      wakeOutbox();
      return count;
    },
    async endEverythingElse(personId, keptUid, visit) {
      await sessionEnds.endAllBut(personId, keptUid, 'password_changed', visit);
      wakeOutbox();
    },
    consents: (personId) => listConsents(database, personId),
    consentHistory: (personId) => consentHistory(database, personId, CONSENTS_SHOWN_MAX),
    async withdraw(personId, clientId, visit) {
      await sessionEnds.endPortal(personId, clientId, async (tx) => {
        if (!(await forgetConsent(tx, personId, clientId))) return;
        await ledger.append(tx, { ...visit, type: 'consent.withdrawn', personId, clientId });
      });
      wakeOutbox();
    },
    ledgerReader,
    async reportNotMe(report) {
      const caseNumber = await freezeAndOpenCase(house, incidents, report);
      const { address, userAgent, correlation } = report;
      await sessionEnds.endAll(report.personId, 'person_frozen', { address, userAgent, correlation });
      wakeOutbox();
      return caseNumber;
    },
    signInUrl() {
      // The code is never redeemed, so nobody needs to know the verifier of this challenge.
      const query = new URLSearchParams({
        client_id: ACCOUNT_CENTRE,
        redirect_uri: `${config.issuer}/account/entered`,
        response_type: 'code',
        scope: 'openid',
        code_challenge: randomToken(43),
        code_challenge_method: 'S256',
      });
      return `/auth?${query}`;
    },
  };
}

/**
 * Freezes the account and opens the incident in one transaction. Resolves with the number of the incident: that of the first
 * report when the person says it twice, a new one when somebody else had the account frozen before.
 */
async function freezeAndOpenCase(
  { database, persons }: House,
  incidents: Incidents,
  { personId, seq, clientId, ...caller }: NotMeReport,
): Promise<string> {
  const alert: Alert = {
    about: { key: personId, person: personId, client: clientId },
    evidence: [seq],
    count: 1,
    affectedCount: 1,
    seq,
    atMs: nowMs(),
    level: 'IV',
  };
  const opened: string[] = [];
  const open = async (tx: Transaction): Promise<string> => {
    const { id } = await incidents.alert(tx, NOT_ME, alert, undefined, false);
    opened.push(id);
    return id;
  };
  await persons.freeze(personId, 'reported_by_person', { ...caller, incident: open });
  // The last one: PostgreSQL may have undone the write for a race and run it again.
  const own = opened.at(-1);
  if (own !== undefined) return own;
  const earlier = (await incidents.list()).find(
    ({ rule, record }) => rule === NOT_ME.id && record.about.person === personId,
  );
  return earlier?.id ?? database.write(open);
}
