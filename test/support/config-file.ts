import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startProxy, type ProxyOptions, type ProxyProcess } from './proxy-process.js';
import { scratchDirectory, type Owner } from './scratch-directory.js';

/** Keys of a section, as they are written to TOML. */
export type Tables = Readonly<Record<string, Readonly<Record<string, string | number | boolean | readonly string[]>>>>;

/** A configuration file of a test's own. */
export class ConfigFile {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  static async make(owner: Owner, tables: Tables): Promise<ConfigFile> {
    const file = new ConfigFile(join(await scratchDirectory(owner), 'edgeproxy.toml'));
    file.write(tables);
    return file;
  }

  write(tables: Tables): void {
    this.writeText(tomlOf(tables));
  }

  writeText(text: string): void {
    writeFileSync(this.path, text);
  }

  /** As careful programs do it: another file takes its name. */
  replace(tables: Tables): void {
    this.replaceText(tomlOf(tables));
  }

  /** Nobody sees it empty, as a file may be between its opening and its writing. */
  replaceText(text: string): void {
    writeFileSync(`${this.path}.new`, text);
    renameSync(`${this.path}.new`, this.path);
  }
}

/** JSON's strings, numbers, booleans and arrays of strings are TOML's too. */
export function tomlOf(tables: Tables): string {
  const sections = Object.entries(tables).map(([section, keys]) => {
    const lines = Object.entries(keys).map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`);
    return `[${section}]\n${lines.join('')}`;
  });
  return sections.join('\n');
}

export interface ConfiguredProxy {
  readonly proxy: ProxyProcess;
  readonly file: ConfigFile;
}

/** Starts a proxy that takes its addresses and its log level from a file. */
export async function startConfigured(owner: Owner, tables: Tables, options: ProxyOptions): Promise<ConfiguredProxy> {
  const file = await ConfigFile.make(owner, tables);
  const env = { EDGEPROXY_LISTEN_ADDR: '', EDGEPROXY_LOG_LEVEL: '', EDGEPROXY_BINDING_TTL_SECS: '0', ...options.env };
  const proxy = await startProxy(owner, { ...options, args: ['--config', file.path], env });
  return { proxy, file };
}
