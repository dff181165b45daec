import type { Page } from './http-client.ts';

/** What the page hides in the field of this name, for posts that no form of it would send; empty where there is no such field. */
export const hiddenField = (page: Page, name = 'form_token'): string =>
  new RegExp(`name="${name}" value="([^"]+)"`).exec(page.text)?.[1] ?? '';
