import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { temporaryFolder } from './folders.ts';
import { tongban } from './product.ts';
import type { Guard } from './redis-servers.ts';

const USER = 'tongban';
const SECRET = 'a-secret-of-the-house-for-redis';

/** Servers that speak TLS alone, with a certificate of this authority, and let in one user alone. */
export interface TlsGuard extends Guard {
  /** The file of the authority, for the configuration. */
  readonly authorityFile: string;
  readonly authorities: string;
  readonly user: string;
  readonly password: string;
}

/** Certificates by `tongban certs dev`, for 127.0.0.1 and no other address. */
export async function tlsGuard(t: ExecutionContext): Promise<TlsGuard> {
  const folder = join(temporaryFolder(t), 'certs');
  const made = await tongban(['certs', 'dev', '--out', folder, '127.0.0.1'], { TONGBAN_PROFILE: 'demo' });
  if (made.code !== 0) throw new Error(made.stderr);
  const at = (name: string): string => join(folder, name);
  const authorityFile = at('ca.crt');
  const authorities = readFileSync(authorityFile, 'utf8');
  const files = [
    ...['--tls-cert-file', at('server.crt'), '--tls-key-file', at('server.key'), '--tls-ca-cert-file', authorityFile],
    // Members of a cluster ask one another for a certificate, whatever clients are asked, and one for servers alone is refused.
    ...['--tls-client-cert-file', at('client.crt'), '--tls-client-key-file', at('client.key')],
  ];
  const among = ['--tls-auth-clients', 'no', '--tls-replication', 'yes', '--tls-cluster', 'yes'];
  return {
    listen: (port) => ['--port', '0', '--tls-port', String(port)],
    transport: { server: [...files, ...among], words: ['--tls', '--cacert', authorityFile] },
    access: {
      server: [
        ...['--user', 'default', 'off', '--user', USER, 'on', `>${SECRET}`, '~*', '&*', '+@all'],
        ...['--masteruser', USER, '--masterauth', SECRET],
      ],
      words: ['--user', USER, '--pass', SECRET, '--no-auth-warning'],
    },
    house: { scheme: 'rediss', user: USER, password: SECRET, authorities },
    authorityFile: authorityFile,
    authorities,
    user: USER,
    password: SECRET,
  };
}
