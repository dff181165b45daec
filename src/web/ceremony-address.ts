import { z } from 'zod';

/** The id of a waiting sign-in, in the one form the protocol library makes. Nothing in it can leave a path segment. */
export const ceremonyId = z.string().regex(/^[A-Za-z0-9_-]{43}$/);

/**
 * Where a waiting sign-in goes on. The path is built here from an id and never taken from a request, so no link can lead to another
 * site (A26); whether the id is one of this browser's is judged there.
 */
export const ceremonyAddress = (uid: string): string => `/interaction/${uid}`;

/** A page of registration or recovery, which leads back to a waiting sign-in when it is given one. */
export const registrationAddress = (page: string, uid: string): string =>
  `${page}?${new URLSearchParams({ continue: uid })}`;
