/** `openssl s_server` with a certificate of its own: which one answered is seen by the name in it. */
import { execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { within } from './eventually.js';
import { DIE_WITH_PARENT, forget, killAtExit, killQuietly } from './live-processes.js';
import { scratchDirectory, type Owner } from './scratch-directory.js';

export interface TlsServer {
  readonly port: number;
  /** For a client that is to trust it. */
  readonly certPath: string;
}

const run = promisify(execFile);

/** `names` are those of the certificate, the first its common name. */
export async function startTlsServer(owner: Owner, names: readonly string[], alpn = ''): Promise<TlsServer> {
  const directory = await scratchDirectory(owner);
  const certPath = join(directory, 'cert.pem');
  const keyPath = join(directory, 'key.pem');
  const alternatives = `subjectAltName=${names.map((name) => `DNS:${name}`).join()}`;
  const subject = ['-subj', `/CN=${names[0] ?? ''}`, '-addext', alternatives];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyPath];
  await run('openssl', ['req', '-x509', '-out', certPath, ...key, ...subject]);
  const protocols = alpn === '' ? [] : ['-alpn', alpn];
  const server = ['s_server', '-accept', '127.0.0.1:0', '-cert', certPath, '-key', keyPath, '-www', ...protocols];
  const [program = '', ...args] = [...DIE_WITH_PARENT, 'openssl', ...server];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const { pid = 0 } = child;
  killAtExit(pid);
  owner.after(() => {
    killQuietly(pid);
    forget(pid);
  });
  let said = '';
  const port = await within(
    'openssl s_server listens',
    new Promise<number>((resolve) => {
      child.stdout.on('data', (text: Buffer) => {
        said += text.toString();
        const bound = /^ACCEPT .*:(\d+)$/m.exec(said);
        if (bound !== null) resolve(Number(bound[1]));
      });
    }),
  );
  return { port, certPath };
}
