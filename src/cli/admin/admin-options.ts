/** Where the admin API is, and with which token: flags, then variables, then this host without one. */
import { readFileSync } from 'node:fs';
import { Option, type Command } from 'commander';
import { formatListenAddress, listenAddress } from '../../adapters/inbound/config/listen-address.js';
import { quoteValue } from '../../adapters/inbound/config/quote-value.js';
import { foreignMessage } from '../../adapters/outbound/foreign-message.js';
import type { AdminAddress } from './admin-client.js';

export type AdminOptions = Readonly<Record<string, unknown>>;

const DEFAULT_URL = 'http://127.0.0.1:8081';
const LISTEN = 'EDGEPROXY_API_LISTEN_ADDR';
const TOKEN = 'EDGEPROXY_API_TOKEN';
/** Whoever listens everywhere listens here, too. */
const LOOPBACK: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

export function addAdminOptions(command: Command): Command {
  return command
    .addOption(new Option('--api <URL>', `where the admin API is (default ${LISTEN} or ${DEFAULT_URL})`))
    .addOption(new Option('--token-file <FILE>', `file with the token (default the one in ${TOKEN}, or none)`));
}

export type AddressResult =
  { readonly isValid: true; readonly address: AdminAddress } | { readonly isValid: false; readonly problem: string };

export function readAdminAddress(typed: AdminOptions, env: NodeJS.ProcessEnv): AddressResult {
  const url = typeof typed['api'] === 'string' ? readUrl(typed['api']) : urlOfListener(env[LISTEN] ?? '');
  if (url.problem !== undefined) return { isValid: false, problem: url.problem };
  const file = typed['tokenFile'];
  const token = typeof file === 'string' ? readTokenFile(file) : { text: env[TOKEN] ?? '' };
  if (token.problem !== undefined) return { isValid: false, problem: token.problem };
  // fetch() would name the header, and show the token.
  if (!/^[\x21-\x7e]*$/.test(token.text))
    return { isValid: false, problem: 'the token has characters that no token has' };
  return { isValid: true, address: { url: url.text, token: token.text === '' ? null : token.text } };
}

type Reading = { readonly text: string; readonly problem?: undefined } | { readonly problem: string };

function readUrl(typed: string): Reading {
  const expected = 'expected http://host:port';
  const url = URL.canParse(typed) ? new URL(typed) : null;
  if (url === null || !['http:', 'https:'].includes(url.protocol))
    return { problem: `--api: ${quoteValue(typed)} is not valid; ${expected}` };
  // Not shown: a password may be in it.
  if (url.username !== '' || url.password !== '')
    return { problem: `--api: there are credentials in it, which ps shows; the token is given with --token-file` };
  return { text: url.origin };
}

function urlOfListener(text: string): Reading {
  if (text === '') return { text: DEFAULT_URL };
  const parsed = listenAddress.parse(text);
  if (!parsed.isValid || parsed.value.port === 0)
    return { problem: `${LISTEN}: ${quoteValue(text)} is not valid; expected ${listenAddress.expected}` };
  const { address, port } = parsed.value;
  return { text: `http://${formatListenAddress({ address: LOOPBACK[address] ?? address, port })}` };
}

function readTokenFile(path: string): Reading {
  try {
    const text = readFileSync(path, 'utf8').trim();
    return text === '' ? { problem: `--token-file: ${quoteValue(path)} is empty` } : { text };
  } catch (error) {
    return { problem: `--token-file: ${quoteValue(path)} cannot be read: ${foreignMessage(error)}` };
  }
}
