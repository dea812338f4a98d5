/** The server names that every proxy routes by in the works of ClientHellos: all of them lead to the one backend. */
const COUNT = 100;

export const siteNames: readonly string[] = Array.from({ length: COUNT }, (_, index) => `site-${index}.bench.example`);
export const VISITED_SITE = siteNames[COUNT / 2] ?? '';
