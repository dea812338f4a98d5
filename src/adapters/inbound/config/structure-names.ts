/** Sections of the file that are no settings: structures/ reads them. */
export const STRUCTURES = ['listeners', 'routers', 'rules'] as const;

/** As its header is written. */
export function headerOf(section: string): string {
  return section === 'listeners' || section === 'rules' ? `[[${section}]]` : `[${section}]`;
}
