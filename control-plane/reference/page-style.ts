/** How the reference page looks: readable on paper, on a phone, by day and by night. */
export const STYLE = `
:root { color-scheme: light dark; --text: #1d2330; --faint: #5d6675; --line: #dde1e8; --ground: #fff; --panel: #f6f7f9; --accent: #1f5fbf;
  --read: #1f6f43; --make: #1f5fbf; --change: #8a5a00; --end: #a8322a; }
@media (prefers-color-scheme: dark) { :root { --text: #e3e6ec; --faint: #9aa3b2; --line: #323844; --ground: #14171d; --panel: #1c2027;
  --accent: #82b1ff; --read: #6fcf97; --make: #82b1ff; --change: #e6b65c; --end: #f08a80; } }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; background: var(--ground); color: var(--text); font: 16px/1.55 system-ui, sans-serif; display: grid;
  grid-template-columns: 18rem minmax(0, 1fr); }
nav { position: sticky; top: 0; height: 100vh; overflow: auto; padding: 1.5rem 1rem; border-right: 1px solid var(--line);
  background: var(--panel); font-size: .875rem; }
nav h2 { margin: 1.25rem 0 .25rem; font-size: .75rem; letter-spacing: .06em; text-transform: uppercase; color: var(--faint); }
nav ul { margin: 0; padding: 0; list-style: none; }
nav a { display: block; padding: .15rem .4rem; border-radius: .3rem; color: inherit; text-decoration: none; overflow-wrap: anywhere; }
nav a:hover, nav a:focus-visible { background: var(--line); }
main { padding: 2rem clamp(1rem, 4vw, 3.5rem) 6rem; max-width: 62rem; }
h1, h3 { overflow-wrap: anywhere; }
h1 { margin: 0 0 .5rem; font-size: 1.9rem; line-height: 1.2; }
main h2 { margin: 3.5rem 0 0; padding-bottom: .4rem; border-bottom: 2px solid var(--line); font-size: 1.4rem; }
article { margin: 2rem 0; padding: 1.25rem 1.5rem; border: 1px solid var(--line); border-radius: .6rem; }
article:target { border-color: var(--accent); }
h3 { margin: 0 0 .4rem; font-size: 1.1rem; }
h4 { margin: 1.25rem 0 .35rem; font-size: .8rem; letter-spacing: .05em; text-transform: uppercase; color: var(--faint); }
p { margin: .4rem 0; }
a { color: var(--accent); }
code, .place { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: .875em; }
code { padding: .05em .3em; border-radius: .25em; background: var(--panel); overflow-wrap: anywhere; }
.place { margin: 0 0 .5rem; overflow-wrap: anywhere; }
.method { display: inline-block; min-width: 4.2em; font-weight: 700; }
.GET { color: var(--read); } .POST { color: var(--make); } .PUT, .PATCH { color: var(--change); } .DELETE { color: var(--end); }
.faint { color: var(--faint); }
dl { margin: 0; }
dt { margin-top: .55rem; }
dd { margin: 0 0 0 1.1rem; }
dd dl { border-left: 2px solid var(--line); padding-left: .9rem; }
.tag { margin-left: .35rem; font-size: .75rem; color: var(--faint); }
details { margin: .35rem 0; border: 1px solid var(--line); border-radius: .4rem; }
summary { padding: .45rem .8rem; cursor: pointer; }
details > div { padding: .2rem 1rem .8rem; }
@media (max-width: 52rem) { body { display: block; } nav { position: static; height: auto; max-height: 45vh; border: 0; border-bottom: 1px solid var(--line); } }
@media print { nav { display: none; } body { display: block; } details > div { display: block; } article { break-inside: avoid; } }
`;
