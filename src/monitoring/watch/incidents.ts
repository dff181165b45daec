import type { Ledger } from '../../ledger/ledger.ts';
import { nowSeconds } from '../../shared/clock.ts';
import { newId } from '../../shared/ids.ts';
import type { Connection, Database, Transaction } from '../../storage/database.ts';
import type { Tables } from '../../storage/tables.ts';
import { alarmsDue, type OperatorClass } from './grading.ts';
import {
  type Alert,
  type ChangeRefusal,
  changed,
  type Incident,
  type IncidentChange,
  type IncidentRecord,
  openIncident,
  WATCH,
  withAlert,
} from './incident.ts';
import type { Rule } from './rule.ts';
import { RULES } from './rules.ts';

type Row = Tables['incidents'];

export type ChangeOutcome =
  | { readonly ok: true; readonly incident: Incident }
  | { readonly ok: false; readonly reason: ChangeRefusal | 'unknown' | 'busy' };

/**
 * The incidents of the house. Commands and the watch change them at the same time: every change is a compare-and-set over the
 * whole record, and each writes `incident.changed` in its own transaction.
 */
export interface Incidents {
  /** The newest first: those not closed, or with `all` every one; at most 1,000. */
  list(options?: { readonly all?: boolean }): Promise<readonly Incident[]>;
  find(id: string): Promise<Incident | undefined>;
  /** `by` is the name of an operator. `busy`: others changed it again and again meanwhile. */
  change(id: string, change: IncidentChange, by: string): Promise<ChangeOutcome>;
  /**
   * Adds an alert to the incident `id` if that is still open, else opens a new one. Throws when the incident was changed in this
   * very moment, so that the transaction is undone and tried again.
   */
  alert(
    tx: Transaction,
    rule: Pick<Rule, 'id' | 'title'>,
    alert: Alert,
    id: string | undefined,
    isCollective: boolean,
  ): Promise<Incident>;
  /** Gives the alarms that are due and resolves with their number. */
  remind(): Promise<number>;
  /** Of the rules of the watch: the newest that are not open, then what is open, each from the oldest on. */
  standing(): Promise<readonly Incident[]>;
  /** The open incidents of the rules of the watch. */
  openIds(): Promise<ReadonlySet<string>>;
}

const LIST_MAX = 1000;
const OTHERS_REMEMBERED_MAX = 500;
const TRIES_MAX = 5;
const NOTE_LENGTH_MAX = 500;

const COLUMNS = 'id, rule, level, status, discovered_at, owner, affected_count, title, record, updated_at';
const FIND = `SELECT ${COLUMNS} FROM incidents WHERE id = $1`;
const LIST_ALL = `SELECT ${COLUMNS} FROM incidents ORDER BY discovered_at DESC, id DESC LIMIT $1`;
const LIST_UNCLOSED = `SELECT ${COLUMNS} FROM incidents WHERE status IN ('open', 'handled')
  ORDER BY discovered_at DESC, id DESC LIMIT $1`;
/** Incidents that people report have no limit of their own; the watch does not go by them. */
const OF_RULES = `rule IN (${RULES.map(({ id }) => `'${id}'`).join(', ')})`;
const LIST_OPEN = `SELECT ${COLUMNS} FROM incidents WHERE status = 'open' AND ${OF_RULES} ORDER BY discovered_at`;
const LIST_OTHERS = `SELECT ${COLUMNS} FROM incidents WHERE status IN ('handled', 'closed') AND ${OF_RULES}
  ORDER BY discovered_at DESC LIMIT $1`;
const LIST_REPORTABLE = `SELECT ${COLUMNS} FROM incidents WHERE status IN ('open', 'handled') AND level <> 'IV'`;
const OPEN_IDS = `SELECT id FROM incidents WHERE status = 'open' AND ${OF_RULES}`;
const INSERT = `INSERT INTO incidents (${COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`;
const UPDATE = `UPDATE incidents SET level = $2, status = $3, owner = $4, affected_count = $5, record = $6, updated_at = $7
  WHERE id = $1 AND record = $8`;

const toIncident = (row: Row): Incident => ({
  id: row.id,
  rule: row.rule,
  level: row.level,
  status: row.status,
  discoveredAt: Number(row.discovered_at),
  owner: row.owner ?? undefined,
  affectedCount: Number(row.affected_count),
  title: row.title,
  record: JSON.parse(row.record) as IncidentRecord,
});

/** A change as the ledger tells of it. */
interface Told {
  readonly what: string;
  readonly before?: string | undefined;
  readonly by: string;
  readonly note?: string | undefined;
}

export interface IncidentsSources {
  readonly database: Database;
  readonly ledger: Ledger;
  readonly operatorClass: OperatorClass;
}

/** Incidents on the relational store. */
export function createIncidents({ database, ledger, operatorClass }: IncidentsSources): Incidents {
  const many = async (connection: Connection, sql: string, params: readonly number[] = []) =>
    (await connection.all<Row>(sql, params)).map(toIncident);

  const update = async (tx: Transaction, before: Row, incident: Incident): Promise<boolean> => {
    const { level, status, owner, affectedCount, record } = incident;
    const values = [level, status, owner ?? null, affectedCount, JSON.stringify(record), nowSeconds()];
    return (await tx.run(UPDATE, [incident.id, ...values, before.record])) === 1;
  };

  const tell = (tx: Transaction, { id }: Incident, { what, before, by, note }: Told): Promise<void> =>
    ledger.append(tx, {
      type: 'incident.changed',
      actor: by === WATCH ? 'system' : `operator:${by}`,
      details: {
        incident: id,
        change: what,
        ...(before === undefined ? {} : { before }),
        ...(note ? { note: note.slice(0, NOTE_LENGTH_MAX) } : {}),
      },
    });

  const attempt = (id: string, change: IncidentChange, by: string): Promise<ChangeOutcome> =>
    database.write(async (tx) => {
      const row = await tx.get<Row>(FIND, [id]);
      if (row === undefined) return { ok: false, reason: 'unknown' };
      const known = toIncident(row);
      const incident = changed(known, change, { at: nowSeconds(), by });
      if (typeof incident === 'string') return { ok: false, reason: incident };
      if (!(await update(tx, row, incident))) return { ok: false, reason: 'busy' };
      await tell(tx, incident, { what: wordOf(change), before: beforeOf(known, change), by, note: noteOf(change) });
      return { ok: true, incident };
    });

  const change: Incidents['change'] = async (id, what, by) => {
    let outcome = await attempt(id, what, by);
    for (let tries = 1; tries < TRIES_MAX && !outcome.ok && outcome.reason === 'busy'; tries += 1) {
      outcome = await attempt(id, what, by);
    }
    return outcome;
  };

  return {
    change,
    list: ({ all = false } = {}) => many(database, all ? LIST_ALL : LIST_UNCLOSED, [LIST_MAX]),
    standing: async () => [
      ...(await many(database, LIST_OTHERS, [OTHERS_REMEMBERED_MAX])).reverse(),
      ...(await many(database, LIST_OPEN)),
    ],
    openIds: async () => new Set((await database.all<{ id: string }>(OPEN_IDS, [])).map(({ id }) => id)),

    async find(id) {
      const row = await database.get<Row>(FIND, [id]);
      return row && toIncident(row);
    },

    async alert(tx, rule, alert, id, isCollective) {
      const row = id === undefined ? undefined : await tx.get<Row>(FIND, [id]);
      const at = nowSeconds();
      if (row?.status === 'open') {
        const before = toIncident(row);
        const incident = withAlert(before, alert, at, isCollective);
        if (!(await update(tx, row, incident))) throw new Error(`incident ${row.id} was changed meanwhile`);
        if (incident.level !== before.level) {
          await tell(tx, incident, { what: `graded ${incident.level}`, before: before.level, by: WATCH });
        }
        return incident;
      }
      const title = `${rule.title.zh} · ${rule.title.en}`;
      const incident = openIncident(alert, { id: newId('inc'), rule: rule.id, title }, at);
      const { level, status, discoveredAt, affectedCount, record } = incident;
      const values = [level, status, discoveredAt, null, affectedCount, title, JSON.stringify(record), at];
      await tx.run(INSERT, [incident.id, rule.id, ...values]);
      await tell(tx, incident, { what: `opened ${level}`, by: WATCH });
      return incident;
    },

    async remind() {
      let given = 0;
      for (const incident of await many(database, LIST_REPORTABLE)) {
        const { level, discoveredAt, record } = incident;
        const facts = { level, discoveredAt, reportedAt: record.reportedAt, given: record.alarms };
        for (const percent of alarmsDue(facts, operatorClass, nowSeconds())) {
          if ((await change(incident.id, { change: 'alarm', percent }, WATCH)).ok) given += 1;
        }
      }
      return given;
    },
  };
}

/** What stood there before, where a change puts one thing in place of another and that is no name of a person. */
function beforeOf({ level, status }: Incident, { change }: IncidentChange): string | undefined {
  if (change === 'graded') return level;
  return change === 'handled' || change === 'closed' ? status : undefined;
}

/** The change in one word or two, as the ledger keeps it. What humans wrote is personal and stands in the note. */
function wordOf(change: IncidentChange): string {
  if (change.change === 'graded') return `graded ${change.level}`;
  return change.change === 'alarm' ? `alarm ${change.percent}%` : change.change;
}

function noteOf(change: IncidentChange): string | undefined {
  if (change.change === 'graded') return change.reason;
  if (change.change === 'owned') return change.owner;
  return change.change === 'noted' || change.change === 'response' ? change.text : undefined;
}
