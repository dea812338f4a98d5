/** A real Prometheus of a test's own; `apt-get install prometheus` brings it and promtool. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from './eventually.js';
import { program, startProgram } from './program.js';
import { scratchDirectory, type Owner } from './scratch-directory.js';

/** An address of this process's own on the loopback: Prometheus does not say which port it was given. Not its usual one, which may be taken everywhere. */
const HOST = `127.79.${(process.pid >> 8) & 255}.${process.pid & 255}:9490`;

export interface InstantSample {
  readonly metric: Readonly<Record<string, string>>;
  /** When, and the value as text. */
  readonly value: readonly [number, string];
}

export class Prometheus {
  /** Scrapes `target`, host and port, four times a second; its rules are those of the file at `rules`. */
  static async start(owner: Owner, target: string, rules: string): Promise<Prometheus> {
    const folder = await scratchDirectory(owner);
    const config = {
      global: { scrape_interval: '250ms', evaluation_interval: '250ms' },
      rule_files: [rules],
      scrape_configs: [{ job_name: 'edgeproxy', static_configs: [{ targets: [target] }] }],
    };
    const path = join(folder, 'prometheus.yml');
    // JSON is YAML.
    writeFileSync(path, JSON.stringify(config));
    startProgram(owner, program('prometheus', 'prometheus'), [
      `--config.file=${path}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=${HOST}`,
    ]);
    const prometheus = new Prometheus();
    await eventually('Prometheus is ready', () =>
      fetch(`http://${HOST}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
    return prometheus;
  }

  async query(expression: string): Promise<readonly InstantSample[]> {
    const { data } = await this.#get(`query?query=${encodeURIComponent(expression)}`);
    return (data as { readonly result: readonly InstantSample[] }).result;
  }

  /** Of every alert: its name, and whether Prometheus could evaluate it. */
  async alerts(): Promise<readonly { readonly name: string; readonly health: string }[]> {
    const { data } = await this.#get('rules');
    const { groups } = data as {
      readonly groups: readonly { readonly rules: readonly { name: string; health: string }[] }[];
    };
    return groups.flatMap(({ rules }) => rules.map(({ name, health }) => ({ name, health })));
  }

  async #get(path: string): Promise<{ readonly data: unknown }> {
    const response = await fetch(`http://${HOST}/api/v1/${path}`);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as { readonly data: unknown };
  }
}
