/** A configuration file, from its name to what it says of each setting, and its listeners, routers and rules. */
import { fileSettings, type FileSettings } from './file-settings.js';
import { STRUCTURES } from './structure-names.js';
import { readToml } from './toml-document.js';

export async function readConfigFile(path: string): Promise<FileSettings> {
  const read = await readToml(path);
  if (!read.isValid) return { entries: new Map(), problems: [read.problem] };
  const settings = fileSettings(read.document);
  if (!STRUCTURES.some((name) => name in read.document.root)) return settings;
  // Loaded only now: zod takes longer to load than a proxy without rules to start.
  const [{ readStructures }, { functionProblems }] = await Promise.all([
    import('./structures/read-structures.js'),
    import('./structures/function-problems.js'),
  ]);
  const structures = readStructures(read.document);
  const problems = [...structures.problems, ...(await functionProblems(read.document, structures.rules))];
  return { ...settings, structures: { ...structures, problems } };
}
