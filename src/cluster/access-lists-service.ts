import { NATIVE_REGION_KIND } from '../adapters/outbound/native/native-addon.js';
import type { ProxyConfig } from '../application/proxy-config.js';
import { compileAccess, type AccessRules } from '../domain/admission/compile-access.js';
import type { Service, ServiceParts } from './service.js';

/** Compiles the lists of addresses and countries and gives them to the workers, each time that they change. */
export class AccessListsService implements Service {
  readonly #parts: ServiceParts;
  /** What the workers have: nothing, as at the start. */
  #inForce = fingerprintOf({ allowCidrs: [], denyCidrs: [], allowCountries: [], denyCountries: [] });

  constructor(parts: ServiceParts) {
    this.#parts = parts;
  }

  configure({ allowCidrs, denyCidrs, allowCountries, denyCountries }: ProxyConfig): void {
    const rules = { allowCidrs, denyCidrs, allowCountries, denyCountries };
    const fingerprint = fingerprintOf(rules);
    if (fingerprint === this.#inForce) return;
    this.#publish(rules);
    this.#inForce = fingerprint;
    const networks = allowCidrs.length + denyCidrs.length;
    this.#parts.logger.info(
      { networks, countries: allowCountries.length + denyCountries.length },
      'access lists in force',
    );
  }

  start(): void {
    // The workers have the lists since configure().
  }

  stop(): void {
    // The supervisor closes the region with its workers.
  }

  #publish(rules: AccessRules): void {
    const { native, supervisor } = this.#parts;
    const bytes = compileAccess(rules);
    const { fd, buffer } = native.createRegion('edgeproxy-access', bytes.length);
    new Uint8Array(buffer).set(bytes);
    supervisor.regions.use(NATIVE_REGION_KIND.ACCESS, { fd, close: () => native.closeFd(fd) });
  }
}

function fingerprintOf(rules: AccessRules): string {
  return JSON.stringify(rules);
}
