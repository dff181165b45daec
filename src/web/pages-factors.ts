/** What a line of the trail tells of the factors of a person. */
export type FactorTrailKind =
  | 'factor-bound'
  | 'factor-renamed'
  | 'factor-removed'
  | 'factor-always'
  | 'factor-sometimes'
  | 'factor-cloned'
  | 'scan-approved'
  | 'scan-refused'
  | 'device-trusted'
  | 'device-distrusted';
