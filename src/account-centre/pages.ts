import Router from '@koa/router';
import { addClosureRoutes } from './closure-pages.ts';
import { addClaimRoutes } from './companies/claim-page.ts';
import { addCompanyRoutes } from './companies/company-page.ts';
import { addGrantRoutes } from './companies/grant-page.ts';
import { addHistoryRoutes } from './companies/history-page.ts';
import { addImportRoutes } from './companies/import-page.ts';
import { addCompanyListRoutes } from './companies/list-page.ts';
import { addMandateActRoutes } from './companies/mandate-acts.ts';
import { addPassOnRoutes } from './companies/pass-on-page.ts';
import { addReviewRoutes } from './companies/review-page.ts';
import { addCorrectionRoutes } from './correction-pages.ts';
import { addDataRoutes } from './data-pages.ts';
import { addDisplayRoutes } from './display-pages.ts';
import { addDocumentRoutes } from './document-pages.ts';
import type { AccountCentreSources } from './doors.ts';
import { addExportRoutes } from './export-pages.ts';
import { addFreshProofRoutes } from './fresh-proof.ts';
import { addMergeRoutes } from './merge-pages.ts';
import { addMethodRoutes } from './method-pages.ts';
import { addOverviewRoutes } from './overview-pages.ts';
import { addPasskeyRoutes } from './passkey-pages.ts';
import { addPortalRoutes } from './portal-pages.ts';
import { addRecoveryCodeRoutes } from './recovery-code-pages.ts';
import { addScanRoutes } from './scan-pages.ts';
import { addSessionRoutes } from './session-pages.ts';
import { addTrailRoutes } from './trail-pages.ts';

/** The pages where a person sees and steers their own account. Each module owns the addresses of one of them. */
export function accountRoutes(sources: AccountCentreSources): Router {
  const router = new Router();
  addOverviewRoutes(router, sources);
  addDocumentRoutes(router, sources);
  addMethodRoutes(router, sources);
  addPasskeyRoutes(router, sources);
  addRecoveryCodeRoutes(router, sources);
  addSessionRoutes(router, sources);
  addScanRoutes(router, sources);
  addPortalRoutes(router, sources);
  addTrailRoutes(router, sources);
  addCompanyListRoutes(router, sources);
  // The words of an address come before an id.
  addClaimRoutes(router, sources);
  addReviewRoutes(router, sources);
  addGrantRoutes(router, sources);
  addHistoryRoutes(router, sources);
  addImportRoutes(router, sources);
  addCompanyRoutes(router, sources);
  addMandateActRoutes(router, sources);
  addPassOnRoutes(router, sources);
  addDataRoutes(router, sources);
  addExportRoutes(router, sources);
  addCorrectionRoutes(router, sources);
  addClosureRoutes(router, sources);
  addMergeRoutes(router, sources);
  addDisplayRoutes(router, sources);
  addFreshProofRoutes(router, sources);
  return router;
}
