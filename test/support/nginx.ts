import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Cleanup } from './product.ts';

const NGINX = '/usr/sbin/nginx';
const EXAMPLES = new URL('../../examples/nginx/', import.meta.url);

/** Why nginx cannot take part; undefined where it is installed. */
export const nginxMissing = (): string | undefined =>
  spawnSync(NGINX, ['-v']).status === 0 ? undefined : `no ${NGINX}`;

const shipped = (name: string): string => readFileSync(new URL(name, EXAMPLES), 'utf8');

/** What a real nginx says of a file we ship, as far as it parses it; undefined when it takes it. */
export function faultOfShipped(name: string): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'tongban-nginx-'));
  try {
    const certificate = join(folder, 'certificate.pem');
    const key = join(folder, 'key.pem');
    const subject = ['-subj', '/CN=id.province.example', '-days', '1'];
    spawnSync('openssl', [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      key,
      '-out',
      certificate,
      ...subject,
    ]);
    for (const part of ['upstream.conf', 'proxy.conf']) writeFileSync(join(folder, part), shipped(part));
    const text = shipped(name)
      .replace('/etc/tongban/tls/fullchain.pem', certificate)
      .replace('/etc/tongban/tls/private.pem', key);
    const http = `pid ${folder}/pid;\nevents {}\nhttp {\n${text}}\n`;
    writeFileSync(join(folder, 'nginx.conf'), http);
    const words = ['-t', '-q', '-p', folder, '-c', join(folder, 'nginx.conf'), '-e', join(folder, 'error.log')];
    const { status, stderr } = spawnSync(NGINX, words, { encoding: 'utf8' });
    return status === 0 ? undefined : stderr;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A real nginx in front of nodes on this machine, with the files we ship; plain http, for there is nobody in between. */
export async function startNginx(
  t: Cleanup,
  port: number,
  nodes: readonly number[],
): Promise<{ stop(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'tongban-nginx-'));
  const servers = nodes.map((node) => `    server 127.0.0.1:${node} max_fails=1 fail_timeout=2s;\n`).join('');
  const upstream = shipped('upstream.conf').replace(/(?: {4}server [^\n]+\n)+/, servers);
  writeFileSync(join(folder, 'upstream.conf'), upstream);
  writeFileSync(join(folder, 'proxy.conf'), shipped('proxy.conf'));
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `  ${name}_temp_path ${folder}/${name};`,
  );
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off;\nmaster_process off;\npid ${folder}/pid;\nerror_log ${folder}/error.log;\nevents { worker_connections 1024; }
http {\n  access_log off;\n${places.join('\n')}\n  include upstream.conf;
  server {\n    listen 127.0.0.1:${port};\n    location / { include proxy.conf; }\n  }\n}\n`,
  );
  const words = ['-p', folder, '-c', join(folder, 'nginx.conf')];
  const tried = spawnSync(NGINX, [...words, '-t'], { encoding: 'utf8' });
  if (tried.status !== 0) throw new Error(tried.stderr);
  const child: ChildProcess = spawn(NGINX, words, { stdio: 'ignore' });
  const ended = once(child, 'close');
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  t.teardown(stop);
  return { stop };
}
