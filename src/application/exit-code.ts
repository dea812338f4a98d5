/** What the process ends with: done, failed, or called or configured wrongly (docs/cli.md). */
export const EXIT_CODE = { OK: 0, FAILURE: 1, USAGE: 2 } as const;
