/** nginx stream knows no rate of connections, only how many an address may have at a time. */
import { nginxFlavour } from './nginx.js';

export const nginxGuarded = nginxFlavour({
  name: 'nginx-guarded',
  summary: 'limit_conn, at most one connection of an address at a time (stream has no limit of their rate)',
  works: ['flood'],
  bufferSize: '32k',
  stream: [
    'limit_conn_zone $binary_remote_addr zone=clients:64m;',
    'limit_conn clients 1;',
    'limit_conn_log_level info;',
  ],
});
