/** How loud an event is; syslog and the other feeds have their own numbers for it. */
export type Severity = 'info' | 'notice' | 'warning' | 'alert';

/** What the Open Cybersecurity Schema Framework calls an event: class and activity, by number. */
export interface OcsfKind {
  readonly classUid: number;
  readonly activityId: number;
}

/**
 * One kind of event. `details` lists every member its `data` may carry and whether it is personal: personal values stand in
 * the ledger as commitments. `clause` is the requirement of GB/T 22239-2019 (level 3) it is evidence for.
 */
export interface EventKind {
  readonly means: string;
  readonly details: Readonly<Record<string, 'plain' | 'personal'>>;
  readonly severity: Severity;
  readonly clause: string;
  readonly ocsf: OcsfKind;
}

export const AUTHENTICATION = '8.1.4.1';
export const ACCESS = '8.1.4.2';
export const AUDIT = '8.1.4.3';
export const PRIVACY = '8.1.4.11';
export const ADMINISTRATION = '8.1.5';
export const MONITORING = '8.1.5.4';

export const ocsf = (classUid: number, activityId: number): OcsfKind => ({ classUid, activityId });
export const ACCOUNT = {
  created: ocsf(3001, 1),
  enabled: ocsf(3001, 2),
  password: ocsf(3001, 3),
  disabled: ocsf(3001, 5),
  locked: ocsf(3001, 9),
  other: ocsf(3001, 99),
};
export const LOGON = ocsf(3002, 1);
export const LOGOFF = ocsf(3002, 2);
export const TICKET = ocsf(3002, 3);
export const AUTHENTICATION_OTHER = ocsf(3002, 99);
export const SESSION = ocsf(3003, 1);
export const ENTITY = {
  created: ocsf(3004, 1),
  read: ocsf(3004, 2),
  updated: ocsf(3004, 3),
  removed: ocsf(3004, 4),
  other: ocsf(3004, 99),
};
export const ACCESS_GIVEN = ocsf(3005, 1);
export const ACCESS_TAKEN = ocsf(3005, 2);
export const API = ocsf(6003, 99);
export const FINDING = ocsf(2004, 1);

/** A row of the catalogue; `details` are names with blanks between, `!` before a personal one. */
export const event = (severity: Severity, clause: string, kind: OcsfKind, means: string, details = ''): EventKind => ({
  means,
  severity,
  clause,
  ocsf: kind,
  details: Object.fromEntries(
    details
      .split(' ')
      .filter((name) => name !== '')
      .map((name) => (name.startsWith('!') ? [name.slice(1), 'personal'] : [name, 'plain'])),
  ),
});
