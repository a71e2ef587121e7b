#include "report/style.h"

namespace grpo::report {

const char* const kStyle = R"css(
:root {
  color-scheme: light dark;
  --page: #f6f6f3; --card: #fff; --ink: #1c1e21; --soft: #62676e; --line: #e3e3de; --grid: #ecece7;
  --good: #17713c; --good-bg: #e2f3e7; --bad: #a9302a; --bad-bg: #fbe9e7; --warn: #8a4b00; --warn-bg: #fff4e0; --warn-line: #eec27e;
  --tag: #6a3fb5; --tag-bg: #f1ebfb; --answer-bg: #e7f3ea;
  --c0: #2563c9; --c1: #d2590d; --c2: #128a5c; --c3: #8e44b8; --c4: #c42d62; --c5: #8a7000; --c6: #0c8599;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #131417; --card: #1c1e22; --ink: #e8e8e5; --soft: #9aa0a8; --line: #2f3238; --grid: #292c31;
    --good: #7bd49a; --good-bg: #16301f; --bad: #f39b94; --bad-bg: #3a1c1a; --warn: #f2bd6b; --warn-bg: #2e2413; --warn-line: #6b5020;
    --tag: #c4a7f5; --tag-bg: #2b2340; --answer-bg: #183022;
    --c0: #6ea8fe; --c1: #ff9d5c; --c2: #4fcf9b; --c3: #c792ea; --c4: #f78fb3; --c5: #d9c04c; --c6: #56c7da;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); -webkit-text-size-adjust: 100%;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1160px; margin: 0 auto; padding: 40px 20px 56px; }
h1, h2, h3, p, ul, figure, pre { margin: 0; padding: 0; }
h1 { font-size: clamp(1.6rem, 1.2rem + 2vw, 2.4rem); line-height: 1.15; letter-spacing: -.02em; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; letter-spacing: -.01em; margin: 44px 0 14px; }
h3 { font-size: 1rem; }
header p { color: var(--soft); margin-top: 6px; }
small { font-size: .8125rem; font-weight: 400; color: var(--soft); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 205px), 1fr)); gap: 12px; margin-top: 24px; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; }
.tile .label { font-size: .8125rem; color: var(--soft); }
.tile .value { font-size: 1.7rem; font-weight: 650; letter-spacing: -.02em; line-height: 1.25; font-variant-numeric: tabular-nums; }
.tile .value s { text-decoration: none; font-weight: 400; font-size: 1.1rem; color: var(--soft); letter-spacing: 0; }
.tile .more { font-size: .8125rem; color: var(--soft); font-variant-numeric: tabular-nums; }
.facts { display: flex; flex-wrap: wrap; gap: 6px 28px; margin-top: 16px; color: var(--soft); font-size: .9375rem; }
.facts b { color: var(--ink); font-variant-numeric: tabular-nums; }
.warning { background: var(--warn-bg); border: 1px solid var(--warn-line); border-radius: 10px; padding: 14px 18px; margin-top: 24px; }
.warning h2 { font-size: 1rem; margin: 0 0 6px; color: var(--warn); }
.warning p + p { margin-top: 6px; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 14px; }
figure, article, details { background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
figure { padding: 14px 18px 12px; min-width: 0; display: flex; flex-direction: column; }
figcaption { flex: 1; margin-bottom: 14px; }
figcaption p { font-size: .8125rem; line-height: 1.4; color: var(--soft); margin-top: 3px; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 0 16px; font-size: .875rem; margin-top: 2px; }
.legend i { display: inline-block;
  width: 14px; height: 4px; border-radius: 2px; background: var(--c); margin-right: 6px; vertical-align: 3px; }
.legend b, .tip b { font-variant-numeric: tabular-nums; }
.plot { display: grid; grid-template-columns: 44px 1fr; grid-template-rows: 190px 22px; column-gap: 8px; }
.area { position: relative; }
.area svg { position: absolute; inset: 0; width: 100%; height: 100%; overflow: visible; }
.y, .x { position: relative; }
.y span, .x span, .unit { position: absolute; font-size: 12px; line-height: 1; color: var(--soft); font-variant-numeric: tabular-nums; }
.y span { right: 0; transform: translateY(50%); }
.x span { top: 8px; transform: translateX(-50%); }
.unit { position: static; text-align: right; padding-top: 8px; }
svg path { fill: none; vector-effect: non-scaling-stroke; stroke: var(--c); stroke-linejoin: round; stroke-linecap: round; }
svg .grid { stroke: var(--grid); } svg .base { stroke: var(--line); stroke-width: 1.5; }
svg .mark { stroke: var(--soft); stroke-dasharray: 4 4; opacity: .7; }
.changes ul { font-size: 13px; color: var(--soft); padding-left: 18px; }
svg .thin { stroke-width: 1; opacity: .35; } svg .bold { stroke-width: 2.2; } svg .dots { stroke-width: 7; }
svg .band { stroke: none; fill: var(--c); opacity: .13; } svg .layer { stroke: none; fill: var(--c); opacity: .3; }
.tip { position: absolute; top: 4px; pointer-events: none; background: var(--card); border: 1px solid var(--line); border-radius: 6px;
  padding: 5px 9px; font-size: 12px; line-height: 1.45; white-space: nowrap; box-shadow: 0 2px 10px #0002; z-index: 1; }
.tip i { display: inline-block; width: 8px; height: 8px; border-radius: 50%; background: var(--c); margin-right: 6px; }
.rule { position: absolute; top: 0; bottom: 0; width: 1px; background: var(--soft); opacity: .5; pointer-events: none; }
.verdicts h3 { margin-bottom: 10px; }
.verdicts p { font-size: .8125rem; color: var(--soft); margin-top: 6px; }
.kind { display: grid; grid-template-columns: minmax(7em, 36%) 1fr 4em 4em; gap: 10px; align-items: center; font-size: .875rem;
  line-height: 1.9; font-variant-numeric: tabular-nums; }
.kind > span:first-child { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.kind > span:nth-child(n + 3) { text-align: right; } .kind > span:last-child { color: var(--soft); }
.kind i { height: 10px; border-radius: 3px; background: var(--grid); overflow: hidden; }
.kind i b { display: block; height: 100%; min-width: 1px; background: var(--soft); opacity: .75; }
.kind.good i b { background: var(--good); } .kind.warn i b { background: var(--warn); }
.warning ul { padding-left: 20px; font-size: .875rem; } .warning code { background: none; }
code { font: .8125rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
.misses { margin: 26px 0 10px; }
.wide { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; }
th { text-align: left; font-weight: 600; font-size: .8125rem; color: var(--soft); white-space: nowrap; }
th, td { padding: 7px 14px; border-bottom: 1px solid var(--line); vertical-align: top; }
tbody tr:last-child td { border-bottom: 0; }
td:nth-child(n + 3):nth-child(-n + 5), th:nth-child(n + 3):nth-child(-n + 5) { text-align: right; font-variant-numeric: tabular-nums; }
td:nth-child(4) { white-space: nowrap; } td:nth-child(2) code { color: var(--bad); } td:nth-child(1) code { color: var(--good); }
td:nth-child(-n + 2) { min-width: 10em; }
.warning + .charts { margin-top: 14px; }
td:last-child { min-width: 14em; color: var(--soft); overflow-wrap: anywhere; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 14px 18px; }
.columns > div { min-width: 0; }
article { margin-top: 10px; padding: 14px 16px; }
pre { font: .8125rem/1.55 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; white-space: pre-wrap;
  overflow-wrap: anywhere; max-height: 24em; overflow: auto; }
pre.prompt { color: var(--soft); max-height: 8em; border-bottom: 1px solid var(--line); padding-bottom: 10px; margin-bottom: 10px; }
.tag { color: var(--tag); background: var(--tag-bg); border-radius: 4px; padding: 0 3px; }
.answer { background: var(--answer-bg); border-radius: 4px; padding: 0 3px; font-weight: 650; }
.chips { display: flex; flex-wrap: wrap; gap: 6px; margin-top: 12px; }
.chip { font-size: .75rem;
  border-radius: 99px; padding: 2px 10px; border: 1px solid var(--line); color: var(--soft); overflow-wrap: anywhere; }
.chip.good { color: var(--good); background: var(--good-bg); border-color: transparent; }
.chip.bad { color: var(--bad); background: var(--bad-bg); border-color: transparent; }
details { margin-top: 44px; padding: 12px 18px; }
summary { cursor: pointer; font-weight: 600; }
details pre { max-height: none; margin-top: 12px; }
#live { position: fixed; right: 14px; bottom: 12px; background: var(--card); border: 1px solid var(--line); border-radius: 99px;
  padding: 3px 12px; font-size: .8125rem; color: var(--soft); box-shadow: 0 2px 10px #0002; }
#live::before { content: "●"; color: var(--good); margin-right: 6px; } #live.off::before { color: var(--bad); }
footer { color: var(--soft); font-size: .8125rem; margin-top: 28px; }
@media (max-width: 520px) { main { padding: 24px 14px 40px; } figure { padding: 12px 14px 10px; } .tiles { grid-template-columns: 1fr 1fr; }
  .tile { padding: 10px 12px; } .tile .value { font-size: 1.2rem; } .tile .value s { font-size: .875rem; } }
@media print { body { background: #fff; } figure, article { break-inside: avoid; } pre { max-height: none; } }
)css";

const char* const kScript = R"js(
const follow = area => {
  const d = area.dataset, span = (low, high, part) => Number(low) + (high - low) * part;
  const curves = [...area.querySelectorAll('path[data-name]')].reverse().map(path => ({
    name: path.dataset.name, colour: path.style.getPropertyValue('--c'),
    points: path.getAttribute('d').slice(1).split('L').map(point => point.split(' ').map(Number))}));
  const tip = document.createElement('div'), rule = document.createElement('div');
  tip.className = 'tip'; rule.className = 'rule';
  const written = value => d.percent ? (100 * value).toFixed(1) + '%' : String(Number(value.toPrecision(3)));
  const row = (text, value, colour) => {
    const line = document.createElement('div'), dot = document.createElement('i'), bold = document.createElement('b');
    if (colour) { dot.style.setProperty('--c', colour); line.append(dot); }
    bold.textContent = value; line.append(text + ' ', bold); tip.append(line);
  };
  area.addEventListener('pointermove', event => {
    const box = area.getBoundingClientRect(), x = 1000 * (event.clientX - box.left) / box.width;
    const nearest = points => points.reduce((best, point) => Math.abs(point[0] - x) < Math.abs(best[0] - x) ? point : best);
    const at = curves.map(curve => nearest(curve.points));
    const here = nearest(at);
    tip.replaceChildren(); row('step', Math.round(span(d.x0, d.x1, here[0] / 1000)));
    let below = 0;
    curves.forEach((curve, i) => {
      const y = span(d.y0, d.y1, 1 - at[i][1] / 1000), value = d.log ? 10 ** y : y;
      row(curve.name, written(value - below), curve.colour);
      if (d.stack) below = value;
    });
    rule.style.left = here[0] / 10 + '%';
    tip.style.left = here[0] < 500 ? here[0] / 10 + 2 + '%' : 'auto';
    tip.style.right = here[0] < 500 ? 'auto' : 102 - here[0] / 10 + '%';
    area.append(rule, tip);
  });
  area.addEventListener('pointerleave', () => { tip.remove(); rule.remove(); });
};
const followAll = () => document.querySelectorAll('.area').forEach(follow);
followAll();
)js";

// Asks every second, or more seldom where a page takes long to make, whether there is another version, and puts it in place.
const char* const kLiveScript = R"js(
const live = document.querySelector('#live');
let version = live.dataset.version;
const put = page => {
  const open = [...document.querySelectorAll('details')].map(part => part.open), top = scrollY;
  document.title = page.title;
  document.querySelector('main').replaceWith(page.querySelector('main'));
  document.querySelectorAll('details').forEach((part, i) => { part.open = open[i] ?? false; });
  scrollTo(scrollX, top);
  followAll();
};
const look = async () => {
  const began = performance.now();
  try {
    const answer = await fetch('/', {headers: {'If-None-Match': '"' + version + '"'}, cache: 'no-store'});
    if (answer.status === 200) {
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
      version = page.querySelector('#live').dataset.version;
      put(page);
    }
    live.textContent = answer.ok || answer.status === 304 ? 'live' : 'the page could not be made';
  } catch {
    live.textContent = 'the server has ended: this is the last state';
  }
  live.classList.toggle('off', live.textContent !== 'live');
  setTimeout(look, Math.max(1000, 4 * (performance.now() - began)));
};
setTimeout(look, 1000);
)js";

}  // namespace grpo::report
