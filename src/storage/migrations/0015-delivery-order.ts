import type { Migration } from '../migration.ts';

/**
 * `outbox.order_key`: deliveries of one key are made one after the other, the older first. `outbox.occasion`: what a delivery tells of, such
 * as a session, for whoever asks how far it has come (delivery/outbox.ts).
 */
export const deliveryOrder: Migration = {
  id: 15,
  name: 'delivery-order',
  statements: () => [
    'ALTER TABLE outbox ADD COLUMN order_key TEXT',
    'ALTER TABLE outbox ADD COLUMN occasion TEXT',
    'CREATE INDEX outbox_occasion ON outbox (occasion) WHERE occasion IS NOT NULL',
    "CREATE INDEX outbox_order ON outbox (order_key, id) WHERE state = 'waiting' AND order_key IS NOT NULL",
  ],
};
