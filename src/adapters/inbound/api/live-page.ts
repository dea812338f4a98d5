/** The live page: made from page/ when the project is built, and held in memory while the API is served. */
import { readFile } from 'node:fs/promises';
import type { OpenPage } from './api-server.js';

/** Beside what this module is compiled into. */
const FOLDER = new URL('../../../page/', import.meta.url);
/** Nothing but the page itself and the API that it came from; nobody may frame it to have its buttons clicked. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');
const HEADERS = { 'content-security-policy': POLICY, 'referrer-policy': 'no-referrer' };

const FILES = [
  { path: '/', file: 'index.html', contentType: 'text/html; charset=utf-8' },
  { path: '/page.css', file: 'page.css', contentType: 'text/css; charset=utf-8' },
  { path: '/page.js', file: 'page.js', contentType: 'text/javascript; charset=utf-8' },
] as const;

/** It tells nothing by itself: what it shows it asks of the API, with the token of whoever looks. */
export function readLivePage(): Promise<OpenPage[]> {
  return Promise.all(
    FILES.map(async ({ path, file, contentType }) => {
      const text = await readFile(new URL(file, FOLDER), 'utf8');
      return { path, contentType, headers: HEADERS, text };
    }),
  );
}
