import type { ProxyConfig } from '../../../application/proxy-config.js';
import { isLoopback } from '../../../domain/loopback.js';
import { formatListenAddress } from './listen-address.js';
import { SETTINGS } from './settings.js';

type ApiValues = Partial<Pick<ProxyConfig, 'isApiEnabled' | 'apiListen' | 'apiToken'>>;

/** Whoever reaches the API without a token may do everything, so nobody but this host may reach it then. */
export function apiProblems({ isApiEnabled, apiListen, apiToken }: ApiValues): string[] {
  if (isApiEnabled !== true || apiListen === undefined || apiToken !== null) return [];
  if (isLoopback(apiListen.address)) return [];
  const address = formatListenAddress(apiListen);
  const { apiListen: listen, apiToken: token } = SETTINGS;
  return [
    `${token.variable}: there is none, and ${listen.variable} ${address} can be reached from elsewhere; ` +
      `expected a token, or a loopback address such as 127.0.0.1:${apiListen.port}`,
  ];
}
