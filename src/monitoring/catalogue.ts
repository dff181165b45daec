/** One metric: what it says, what kind it is, and the names of its labels. */
export interface MetricKind {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  /** What several processes on one machine say together: the sum, or the largest or smallest of what each says of the same thing. */
  readonly over: 'sum' | 'max' | 'min';
}

const kind =
  (type: MetricKind['type'], over: MetricKind['over'] = 'sum') =>
  (help: string, ...labels: readonly string[]): MetricKind => ({ type, help, labels, over });
const counter = kind('counter');
const gauge = kind('gauge');
const histogram = kind('histogram');
const most = kind('gauge', 'max');
const least = kind('gauge', 'min');

/**
 * The closed list of our own metrics; nothing else is ever shown beside those of the process. Units are seconds and bytes. No label
 * holds anything a stranger can choose: each is a name from our own code or from the configuration, or the id of a public key.
 * "Since the start" means of this process; "in the store" means of all nodes together, so that such a value is not to be summed.
 */
export const METRICS = {
  tongban_http_requests_total: counter('Requests answered since the start.', 'route', 'method', 'status'),
  tongban_http_request_duration_seconds: histogram('Time from a request to its answer.', 'route'),

  tongban_hash_queue_depth: gauge('Password hashes that wait for their turn.'),
  tongban_hash_queue_limit: gauge('Password hashes that may wait at once.'),
  tongban_hash_queue_running: gauge('Password hashes under way.'),
  tongban_hash_queue_oldest_seconds: most('How long the longest waiting password hash has waited.'),
  tongban_hash_queue_started_total: counter('Password hashes started since the start.'),
  tongban_hash_queue_refused_total: counter('Password hashes refused because the queue was full or the wait too long.'),
  tongban_hash_queue_wait_seconds_total: counter('Time all password hashes together waited for their turn.'),

  tongban_database_writes_waiting: gauge('Writes that wait for the next transaction or for a connection.'),
  tongban_database_group_size: histogram('Writes that shared one transaction and its fsync.'),
  tongban_database_commit_seconds: histogram('Time of one COMMIT with its fsync.'),
  tongban_database_connections: gauge('Connections of this process to PostgreSQL.', 'state'),
  tongban_redis_up: least('1 while Redis answers, 0 while SQL stands in for it.'),
  tongban_redis_lost_total: counter('How often Redis was given up for the time being, since the start.'),
  tongban_swept_rows_total: counter('Expired rows removed since the start.'),
  tongban_data_folder_free_bytes: least('Free space on the disk of the data folder.'),

  tongban_artifact_changes_total: counter(
    'Codes, tokens, grants and other artifacts of the protocol written, consumed or removed since the start.',
    'model',
    'change',
  ),
  tongban_artifact_lookups_total: counter('Look-ups of artifacts since the start.', 'model'),
  tongban_artifact_conflicts_total: counter(
    'Artifacts presented again after they were used, found by compare-and-set since the start.',
    'model',
  ),

  tongban_ledger_events_total: counter('Ledger events written by this process since the start.', 'type'),
  tongban_ledger_append_failures_total: counter('Ledger events that could not be written since the start.'),
  tongban_ledger_entries: most('Entries of the ledger, in the store.'),
  tongban_ledger_unsigned_entries: most('Entries no checkpoint covers yet, in the store.'),
  tongban_ledger_unsigned_seconds: most('Age of the oldest entry no checkpoint covers yet, in the store.'),
  tongban_ledger_checkpoint_age_seconds: most(
    'Age of the newest checkpoint, in the store; a quiet ledger signs nothing.',
  ),

  tongban_feed_lag_events: most('Events a feed has not delivered yet.', 'feed'),
  tongban_feed_lag_seconds: most('Age of the oldest event a feed has not delivered yet.', 'feed'),
  tongban_feed_up: most('1 while a feed delivers, 0 while it cannot.', 'feed'),
  tongban_detections_total: counter('Detections of the watch since the start.', 'rule'),
  tongban_incidents_open: most('Incidents that are not closed, by level, in the store.', 'level'),

  tongban_sign_ins_total: counter('Sign-in attempts of people, by outcome and factor.', 'outcome', 'factor'),
  tongban_sessions_begun_total: counter('Sign-ins that began or renewed a session.'),
  tongban_sessions_ended_total: counter(
    'Sessions that ended, by cause; one that only expires is not counted.',
    'cause',
  ),
  tongban_logout_deliveries_total: counter('Logout notices to portals that came to an end, by outcome.', 'outcome'),
  tongban_deliveries_waiting: most('Messages in the outbox that are not delivered yet, in the store.'),
  tongban_deliveries_running: gauge('Deliveries under way in this process.'),
  tongban_delivery_failures_total: counter('Single attempts to deliver that failed since the start.'),

  tongban_register_answers_total: counter('Verdicts of a register since the start.', 'register', 'verdict'),
  tongban_register_unanswered_total: counter(
    'Questions to a register that nobody answered, by reason, since the start.',
    'register',
    'reason',
  ),
  tongban_register_circuit: most(
    '0 while a register is asked, 1 while it is tried again, 2 while it is left alone.',
    'register',
  ),
  tongban_register_running: gauge('Questions to a register under way.', 'register'),
  tongban_register_waiting: gauge('Questions to a register that wait for a place.', 'register'),

  tongban_key_retires_seconds: most(
    'When a signing key is to be replaced or removed, as seconds since 1970.',
    'kid',
    'alg',
  ),
  tongban_certificate_expires_seconds: least('When a certificate file ends, as seconds since 1970.', 'file'),
  tongban_workers: gauge('Processes that serve on this machine, where there are several.'),
  tongban_worker_restarts_total: counter('Workers that were started again since the start.'),
  tongban_readiness: most('What /readyz says of a check: 0 ok, 1 warn, 2 fail.', 'check'),
  tongban_scrape_failures_total: counter('Sources of metrics that did not answer a scrape.', 'source'),
} as const satisfies Record<string, MetricKind>;

export type MetricName = keyof typeof METRICS;
