import type { Logger } from 'pino';
import type { House } from './app.ts';
import { startSubjectWatch } from './oidc/subject-watch.ts';

/** Looks each second after grants of people who act for somebody else. Returns what stops it. */
export function watchSubjects(
  { database, acting, subjectEnds, relyingParties }: House,
  log: Logger,
  wakeOutbox: () => void,
  isOurs: () => boolean,
): () => Promise<void> {
  subjectEnds.whenEnded(wakeOutbox);
  const watch = startSubjectWatch({
    database,
    acting,
    ends: subjectEnds,
    relyingParties,
    isOurs,
    onError: (error) => log.error({ err: error }, 'grants of people who act for others could not be looked after'),
  });
  return () => watch.stop();
}
