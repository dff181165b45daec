import type { Client } from 'oidc-provider';
import { OWN_BEHALF } from '../relying-parties/accepted-subjects.ts';

/** For whom people may act at this portal, by its registration as it stands now (relying-parties/accepted-subjects.ts). */
export const acceptedBy = (client: Client): readonly string[] =>
  (client.accepts_subjects as readonly string[] | undefined) ?? OWN_BEHALF;
