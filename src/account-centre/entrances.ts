/** The account centre is a portal of its own; the client_id of it. */
export const ACCOUNT_CENTRE = 'account-centre';

/** Where a person who forgot their password begins. */
export const RECOVER = '/recover';
