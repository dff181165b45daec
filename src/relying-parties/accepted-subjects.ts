/** For whom somebody may act at a portal: for themselves, for a legal person, for another natural person they represent. */
export const SUBJECT_KINDS = ['natural', 'legal', 'represented'] as const;

export type SubjectKind = (typeof SUBJECT_KINDS)[number];

/** What a portal accepts that says nothing about it: people who act for themselves. */
export const OWN_BEHALF: readonly SubjectKind[] = ['natural'];
