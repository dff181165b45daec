import type { Migration } from '../migration.ts';

/** Browsers a person has asked not to be asked in again for a second factor. Written by people/trusted-devices.ts alone. */
export const trustedDevices: Migration = {
  id: 13,
  name: 'trusted-devices',
  statements: (engine) => {
    const integer = engine === 'sqlite' ? 'INTEGER' : 'BIGINT';
    const strict = engine === 'sqlite' ? ' STRICT' : '';
    return [
      `CREATE TABLE trusted_devices (id TEXT PRIMARY KEY NOT NULL, secret_digest TEXT NOT NULL UNIQUE,
        person_id TEXT NOT NULL REFERENCES persons (id), user_agent TEXT NOT NULL, address TEXT NOT NULL,
        trusted_at ${integer} NOT NULL, seen_at ${integer} NOT NULL, expires_at ${integer} NOT NULL)${strict}`,
      'CREATE INDEX trusted_devices_person ON trusted_devices (person_id)',
      'CREATE INDEX trusted_devices_expiry ON trusted_devices (expires_at)',
    ];
  },
};
