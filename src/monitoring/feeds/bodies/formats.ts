import { CEF_FIELDS, cefBody } from './cef.ts';
import { ECS_FIELDS, ecsBody } from './ecs.ts';
import type { FeedEvent } from './feed-event.ts';
import type { FieldDefaults, FieldMap } from './field-map.ts';
import { JSON_FIELDS, jsonBody } from './json.ts';
import { OCSF_FIELDS, ocsfBody } from './ocsf.ts';

/** A way to say an event: what its fields are called, and the text; `version` is the product's. */
export interface BodyFormat {
  readonly fields: FieldDefaults;
  /** Whether the text is itself a JSON value. */
  readonly isJson: boolean;
  readonly body: (event: FeedEvent, map: FieldMap, version: string) => string;
}

export const FORMATS = {
  json: { fields: JSON_FIELDS, isJson: true, body: jsonBody },
  cef: { fields: CEF_FIELDS, isJson: false, body: cefBody },
  ecs: { fields: ECS_FIELDS, isJson: true, body: ecsBody },
  ocsf: { fields: OCSF_FIELDS, isJson: true, body: ocsfBody },
} as const satisfies Record<string, BodyFormat>;

export type FormatName = keyof typeof FORMATS;
export const FORMAT_NAMES = ['json', 'cef', 'ecs', 'ocsf'] as const satisfies readonly FormatName[];
