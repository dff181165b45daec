import type { Acting } from './acting.ts';

/** Nobody acts for anybody else. */
export const NOBODY: Acting = {
  subjectsOf: async () => [],
  find: async () => undefined,
  noteUse: async () => {},
};
