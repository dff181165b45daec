import type { Migration } from '../migration.ts';

/**
 * Who stands under a digest that people are found by, with what a sign-in asks of them, in one row of one tree: out of the rows themselves it
 * takes four walks, and two seals to judge. Triggers keep it true whoever writes, older code included; they cannot seal, so what they write
 * has no seal and is not believed until the house has made one (people/found-people.ts). PostgreSQL keeps its rows in heaps, in a process of
 * its own; a look-up there costs what the way to it costs.
 */
export const peopleAsFound: Migration = {
  id: 22,
  name: 'people-as-found',
  statements: (engine) =>
    engine === 'sqlite'
      ? [
          `CREATE TABLE found_people (digest TEXT PRIMARY KEY NOT NULL, person_id TEXT NOT NULL, status TEXT NOT NULL,
            ial INTEGER NOT NULL, fourteen_at INTEGER, row_seal BLOB) STRICT, WITHOUT ROWID`,
          ...SOURCES.map(filled),
          'CREATE INDEX found_people_unsealed ON found_people (digest) WHERE row_seal IS NULL',
          ...SOURCES.flatMap(triggersOf),
          personTrigger,
        ]
      : [],
};

interface Source {
  readonly table: string;
  readonly digest: string;
  /** All that the seal of its row covers: whatever changes of it by whose hand ever, the copy is not believed before the row was judged. */
  readonly covered: readonly string[];
}

const SOURCES: readonly Source[] = [
  {
    table: 'identity_documents',
    digest: 'number_index',
    covered: [
      'id',
      'person_id',
      'type',
      'issuer',
      'number_index',
      'verified_source',
      'verified_level',
      'verified_at',
      'valid_from',
      'valid_to',
      'is_primary',
    ],
  },
  {
    table: 'sign_in_identifiers',
    digest: 'value_index',
    covered: ['type', 'value_index', 'person_id', 'verified_by'],
  },
];

const OF_PERSON = ['status', 'ial', 'status_before', 'phone_verified_at', 'email_verified_at', 'fourteen_at'];

const changedIn = (columns: readonly string[]): string =>
  columns.map((column) => `OLD.${column} IS NOT NEW.${column}`).join(' OR ');

/** In the order of the digests: the tree grows at its end and its pages are full. */
const filled = ({ table, digest }: Source): string =>
  `INSERT INTO found_people (digest, person_id, status, ial, fourteen_at)
    SELECT s.${digest}, p.id, p.status, p.ial, p.fourteen_at FROM ${table} s JOIN persons p ON p.id = s.person_id
    WHERE true ORDER BY s.${digest} ON CONFLICT (digest) DO NOTHING`;

/** Taken away first: a conflict would be settled as the statement wants it that fired the trigger. */
const copyAnew = ({ digest }: Source): string =>
  `DELETE FROM found_people WHERE digest = NEW.${digest};
    INSERT INTO found_people (digest, person_id, status, ial, fourteen_at)
      SELECT NEW.${digest}, id, status, ial, fourteen_at FROM persons WHERE id = NEW.person_id;`;

const triggersOf = (source: Source): readonly string[] => {
  const { table, digest, covered } = source;
  return [
    `CREATE TRIGGER found_${table}_added AFTER INSERT ON ${table} BEGIN ${copyAnew(source)} END`,
    `CREATE TRIGGER found_${table}_changed AFTER UPDATE OF ${covered.join(', ')} ON ${table} WHEN ${changedIn(covered)}
      BEGIN DELETE FROM found_people WHERE digest = OLD.${digest}; ${copyAnew(source)} END`,
    `CREATE TRIGGER found_${table}_gone AFTER DELETE ON ${table} BEGIN DELETE FROM found_people WHERE digest = OLD.${digest}; END`,
  ];
};

const personTrigger = `CREATE TRIGGER found_persons_changed AFTER UPDATE OF ${OF_PERSON.join(', ')} ON persons
  WHEN ${changedIn(OF_PERSON)} BEGIN
    UPDATE found_people SET status = NEW.status, ial = NEW.ial, fourteen_at = NEW.fourteen_at, row_seal = NULL
      WHERE digest IN (SELECT number_index FROM identity_documents WHERE person_id = NEW.id
        UNION ALL SELECT value_index FROM sign_in_identifiers WHERE person_id = NEW.id);
  END`;
