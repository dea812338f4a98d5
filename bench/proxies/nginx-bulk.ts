/** nginx with buffers as large as bulk transfer likes them; each connection then maps and unmaps half a megabyte. */
import { nginxFlavour } from './nginx.js';

export const nginxBulk = nginxFlavour({
  name: 'nginx-bulk',
  summary: 'the same as nginx with proxy_buffer_size 256k',
  works: ['download', 'upload'],
  bufferSize: '256k',
});
