import { everyPage } from '../support/walk/every-page.ts';

everyPage({ language: 'zh-CN', width: 360 });
