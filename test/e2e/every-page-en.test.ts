import { everyPage } from '../support/walk/every-page.ts';

everyPage({ language: 'en', width: 1280 });
