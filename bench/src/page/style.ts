/** The look of the page; nothing is loaded from elsewhere. */
export const STYLE = `
:root { color-scheme: light dark; --ink: #1c2430; --soft: #667080; --paper: #fff; --line: #d6dbe2; --ours: #1668c7; --rival: #a9b4c2;
  --better: #15803d; --worse: #c2410c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --soft: #98a3b3; --paper: #14181e; --line: #333c48; --ours: #5aa2f5;
  --rival: #5b6675; --better: #4ade80; --worse: #fb923c; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 0 auto; max-width: 76rem; padding: 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: 1rem; }
p, figcaption, summary { color: var(--soft); } figcaption { font-size: .85rem; }
nav a { display: inline-block; margin-right: .8rem; } a { color: var(--ours); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .85rem; }
th, td { text-align: right; padding: .2rem .7rem; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; } .left td, .left th { text-align: left; }
td.yes { color: var(--better); } td.NO { color: var(--worse); font-weight: 600; }
.scroll { overflow-x: auto; } .plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(30rem, 100%), 1fr)); gap: .5rem 1.5rem; }
figure { margin: .5rem 0; } svg { width: 100%; height: auto; font-size: 11px; }
svg text { fill: var(--ink); } svg .name { text-anchor: end; } svg .tick { text-anchor: middle; fill: var(--soft); }
svg .axis { stroke: var(--soft); } svg .mark { stroke: var(--line); }
svg rect.ours { fill: var(--ours); } svg rect.rival { fill: var(--rival); }
svg .round { fill: var(--ink); opacity: .55; }
svg .better { fill: var(--better); stroke: var(--better); } svg .worse { fill: var(--worse); stroke: var(--worse); }
svg line.better, svg line.worse { stroke-width: 2; } svg circle.better, svg circle.worse { opacity: .6; }
pre { overflow: auto; max-height: 30rem; font-size: .75rem; border: 1px solid var(--line); padding: .5rem; }
`;
