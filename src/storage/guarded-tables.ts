/** A table whose rows decide who may do what, and which of its columns do. */
export interface GuardedTable {
  readonly table: string;
  /** What names a row. */
  readonly row: readonly string[];
  /** What the seal covers beside the name: text and whole numbers only. What is sealed for its row authenticates itself. */
  readonly columns: readonly string[];
  /** Its rows are asked for at each visit and hardly ever change, so some statements on them are answered from memory (kept-rows.ts). */
  readonly isKept?: true;
  /**
   * Opens a door for minutes to days, and is written whole, many times a second. A statement that sets everything covered does not ask what stood
   * there before, and a row that does not match is told of and as good as gone: whoever it was of signs in once more.
   */
  readonly isPassing?: true;
}

/** The column that holds the seal of a row (migrations 18 and 20). */
export const ROW_SEAL = 'row_seal';

/** What the protocol keeps; of it, what is short-lived may lie in Redis, under the same seals. */
export const ARTIFACTS: GuardedTable = {
  table: 'artifacts',
  row: ['model', 'id'],
  columns: ['payload', 'expires_at'],
  isPassing: true,
};

/** What opens a door for minutes to days: whose session, grant, code, token, scan or way back into an account it is (migration 20). */
export const PASSING_TABLES: readonly GuardedTable[] = [
  { table: 'sessions', row: ['uid'], columns: ['id_digest', 'account_id', 'payload', 'expires_at'], isPassing: true },
  ARTIFACTS,
  {
    table: 'scans',
    row: ['id'],
    columns: ['code_digest', 'ceremony', 'browser', 'match_number', 'state', 'person_id', 'expires_at'],
    isPassing: true,
  },
  {
    table: 'recoveries',
    row: ['id'],
    columns: ['secret_digest', 'person_id', 'account', 'route', 'state', 'waits_until', 'expires_at'],
    isPassing: true,
  },
  {
    table: 'enrolment_drafts',
    row: ['id'],
    columns: ['secret_digest', 'kind', 'step', 'number_index'],
    isPassing: true,
  },
];

/** The keys of the house cannot vouch for themselves: their rows stand under a key out of the root. */
export const KEYS_TABLE = 'keys';

/** What stays (migration 18). */
export const LASTING_TABLES: readonly GuardedTable[] = [
  { table: KEYS_TABLE, row: ['kid'], columns: ['purpose', 'alg', 'state', 'public_jwk'] },
  { table: 'relying_parties', row: ['client_id'], columns: ['record', 'secret_digest', 'status'] },
  { table: 'staff', row: ['person_id'], columns: ['role', 'status', 'account'] },
  {
    table: 'persons',
    row: ['id'],
    columns: ['status', 'ial', 'status_before', 'phone_verified_at', 'email_verified_at', 'fourteen_at'],
  },
  {
    table: 'identity_documents',
    row: ['id'],
    columns: [
      'person_id',
      'type',
      'issuer',
      'number_index',
      'verified_source',
      'verified_level',
      'verified_at',
      'valid_from',
      'valid_to',
      'is_primary',
    ],
  },
  { table: 'sign_in_identifiers', row: ['type', 'value_index'], columns: ['person_id', 'verified_by'] },
  { table: 'passwords', row: ['person_id'], columns: ['hash'] },
  { table: 'bound_factors', row: ['id'], columns: ['person_id', 'kind', 'external_key'] },
  { table: 'recovery_codes', row: ['person_id', 'digest'], columns: ['used_at'] },
  { table: 'factor_policies', row: ['person_id'], columns: ['always_ask'], isKept: true },
  { table: 'trusted_devices', row: ['id'], columns: ['person_id', 'secret_digest', 'expires_at'] },
  {
    table: 'legal_persons',
    row: ['id'],
    columns: ['uscc_index', 'category', 'status', 'suspended_cause', 'representative_key'],
  },
  { table: 'legal_person_posts', row: ['id'], columns: ['legal_person_id', 'person_id', 'role', 'status', 'cause'] },
  {
    table: 'legal_person_claims',
    row: ['id'],
    columns: ['uscc_index', 'person_id', 'status'],
  },
  { table: 'legal_person_claim_reviews', row: ['claim_id', 'reviewer'], columns: ['decision'] },
  {
    table: 'mandates',
    row: ['id'],
    columns: [
      'kind',
      'legal_person_id',
      'represented_id',
      'agent_person_id',
      'agent_legal_person_id',
      'invitee_type',
      'invitee_issuer',
      'invitee_index',
      'matters',
      'portals',
      'valid_from',
      'valid_until',
      'acr_max',
      'may_delegate',
      'parent_id',
      'status',
      'cause',
      'suspended_by',
      'granted_by',
      'accepted_at',
    ],
  },
  {
    table: 'consents',
    row: ['person_id', 'client_id'],
    columns: ['scopes', 'claims', 'granted_at', 'terms'],
    isKept: true,
  },
  {
    table: 'ledger_approvals',
    row: ['id'],
    columns: ['action', 'parameters', 'proposed_by', 'proposed_at', 'reason', 'approved_by', 'approved_at', 'done_at'],
  },
];

/**
 * Copies of what is covered elsewhere, which triggers keep on SQLite: one without a seal, or with a wrong one, is not believed and nobody is
 * refused for it, so statements on it are not followed; people/found-people.ts judges them.
 */
export const FOUND_PEOPLE: GuardedTable = {
  table: 'found_people',
  row: ['digest'],
  columns: ['person_id', 'status', 'ial', 'fourteen_at'],
};

/** Which tables and columns, and why not others: docs/decisions/0011-sealed-rows.md. Every statement on them goes through guarded-database.ts. */
export const GUARDED_TABLES: readonly GuardedTable[] = [...LASTING_TABLES, ...PASSING_TABLES];

/** Every table whose rows stand under a key of the ring. */
export const sealedTables = (engine: 'sqlite' | 'postgres'): readonly GuardedTable[] => [
  ...GUARDED_TABLES.filter(({ table }) => table !== KEYS_TABLE),
  ...(engine === 'sqlite' ? [FOUND_PEOPLE] : []),
];

const byName: ReadonlyMap<string, GuardedTable> = new Map(GUARDED_TABLES.map((guarded) => [guarded.table, guarded]));

export const guardedTable = (name: string): GuardedTable | undefined => byName.get(name);

/** The columns a seal covers, in the order in which it covers them. */
export const coveredColumns = ({ row, columns }: GuardedTable): readonly string[] => [...row, ...columns];
