/**
 * The closed catalogue of ledger events. An event is named `subject.what-happened`; `details` lists the members its record may
 * carry beside the common ones. No password, code, token or identity number is ever among them (H5).
 */
interface EventEntry {
  readonly means: string;
  readonly details: readonly string[];
}

const event = (means: string, ...details: string[]): EventEntry => ({ means, details });

export const EVENTS = {
  'server.started': event('The server began to serve.', 'version', 'profile'),
  'server.stopped': event('The server stopped in order.', 'signal'),
  'person.added': event('An account of a natural person was created.', 'origin', 'ial'),
  'person.disabled': event('A person may no longer sign in.', 'origin'),
  'person.enabled': event('A person may sign in again.', 'origin'),
  'password.changed': event('A password was set.', 'origin'),
  'sign-in.succeeded': event('A person proved who they are.', 'amr', 'acr'),
  'sign-in.refused': event('A sign-in attempt failed.', 'reason', 'factor'),
  'session.ended': event('A session ended.', 'cause'),
  'consent.given': event('A person let a portal see personal data.', 'scopes', 'claims'),
  'consent.denied': event('A person refused a portal.', 'scopes'),
  'consent.withdrawn': event('A person withdrew their consent for a portal.'),
  'token.issued': event('Tokens were issued.', 'grantType', 'scopes'),
  'token.refused': event('A token request failed.', 'error', 'grantType'),
  'token.revoked': event('A token was revoked.'),
  'code.replayed': event('An authorization code was presented twice; its tokens were revoked.'),
  'refresh.reused': event('A spent refresh token was presented again; its family was revoked.'),
  'logout.delivered': event('A portal confirmed that it ended its session.', 'attempts'),
  'logout.undelivered': event('A portal could not be told to end its session.', 'attempts', 'error'),
  'relying-party.added': event('A relying party was registered.', 'origin'),
  'relying-party.changed': event('The record of a relying party was changed.', 'origin', 'fields'),
  'relying-party.disabled': event('A relying party was switched off.', 'origin'),
  'relying-party.enabled': event('A relying party was switched on.', 'origin'),
  'key.created': event('A signing key was created.', 'kid', 'alg', 'state'),
  'key.rotated': event('The current signing key was replaced.', 'kid', 'alg'),
  'key.removed': event('A retired key was removed.', 'kid', 'alg'),
} as const satisfies Record<string, EventEntry>;

export type EventType = keyof typeof EVENTS;
