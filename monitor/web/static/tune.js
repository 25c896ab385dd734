// What other thresholds would have meant: the score peaks of the last days behind a slider.
import { api, html, ink, Notice, score, useEffect, useLoad, useRef, useState, words } from "./base.js";

const DAYS = [1, 3, 7, 14];
let plotting = null;

/** uPlot, loaded when it is first needed. */
function uplot() {
  plotting ??= new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = "static/uplot.js";
    script.onload = () => done(globalThis.uPlot);
    script.onerror = () => failed(new Error("the chart could not be loaded"));
    document.head.append(script);
  });
  return plotting;
}

const alertsAt = (peaks, threshold) => peaks.reduce((sum, peak) => sum + (peak >= threshold), 0);
const THRESHOLDS = Array.from({ length: 91 }, (_, i) => (i + 10) / 100);

function Curve({ peaks, enter, days }) {
  const ref = useRef();
  useEffect(() => {
    let plot = null;
    let gone = false;
    const make = async () => {
      const UPlot = await uplot();
      if (gone) return;
      plot?.destroy();
      const line = { stroke: ink("muted"), grid: { stroke: ink("grid"), width: 1 }, ticks: { stroke: ink("grid") }, font: "12px system-ui" };
      plot = new UPlot({
        width: ref.current.clientWidth, height: 220, legend: { show: false }, cursor: { show: false }, scales: { x: { time: false, range: [0.1, 1] }, y: { range: (_, low, high) => [0, Math.max(4, high)] } },
        axes: [{ ...line, label: "threshold", labelSize: 18 }, { ...line, label: `alerts in ${days} ${days === 1 ? "day" : "days"}`, labelSize: 18 }],
        series: [{}, { stroke: ink("accent"), width: 2, fill: ink("wash"), paths: UPlot.paths.stepped({ align: 1 }) }],
        hooks: { draw: [(u) => {
          const x = u.valToPos(ref.current.enter, "x", true);
          u.ctx.fillStyle = ink("alert");
          u.ctx.fillRect(x - 1, u.bbox.top, 2, u.bbox.height);
        }] },
      }, [THRESHOLDS, THRESHOLDS.map((t) => alertsAt(peaks, t))], ref.current);
    };
    make();
    const observer = new ResizeObserver(() => plot?.setSize({ width: ref.current.clientWidth, height: 220 }));
    observer.observe(ref.current);
    addEventListener("themechange", make);
    ref.current.redraw = () => plot?.redraw();
    return () => {
      gone = true;
      observer.disconnect();
      removeEventListener("themechange", make);
      plot?.destroy();
    };
  }, [peaks, days]);
  useEffect(() => {
    ref.current.enter = enter;
    ref.current.redraw?.();
  }, [enter]);
  return html`<div class="curve" ref=${ref} role="img" aria-label=${`Alerts against the threshold: ${alertsAt(peaks, enter)} at ${score(enter)}`}></div>`;
}

function Class({ live, label, days }) {
  const now = live.facts.classes[label].enter;
  const [enter, setEnter] = useState(now);
  const [said, say] = useState("");
  const { data, error, again } = useLoad((signal) => api(`peaks?label=${encodeURIComponent(label)}&days=${days}`, { signal }), [label, days]);
  useEffect(() => setEnter(now), [label, now]);
  if (error) return html`<${Notice} title=${error} again=${again} />`;
  if (!data) return html`<p class="wait">Loading…</p>`;
  if (!data.peaks.length) return html`<${Notice} title=${`No score of ${words(label)} rose above 0.1 in this time`}>The monitor collects them while the page is enabled.</${Notice}>`;
  const apply = async () => {
    try {
      await api("settings", { method: "POST", body: { key: `classes.${label}.threshold`, value: enter } });
      say(`In force: ${words(label)} at ${score(enter)}.`);
    } catch (reason) {
      say(reason.message);
    }
  };
  const changed = live.facts.adjustable && live.facts.changed.includes(`classes.${label}.threshold`);
  const undo = () => api("settings", { method: "POST", body: { key: `classes.${label}.threshold` } }).then(() => say(""), (reason) => say(reason.message));
  const then = alertsAt(data.peaks, enter);
  return html`<p class="answer" role="status">With <b>${score(enter)}</b> there would have been <b>${then} ${then === 1 ? "alert" : "alerts"}</b>${enter !== now ? `; with ${score(now)}, as it is now, ${alertsAt(data.peaks, now)}` : ", as it is now"}.</p>
    <${Curve} peaks=${data.peaks} enter=${enter} days=${days} />
    <label for="enter">Threshold of ${words(label)}</label>
    <input id="enter" type="range" min="0.1" max="0.99" step="0.01" value=${enter} onInput=${(e) => setEnter(Number(e.target.value))} />
    <div class="line">${live.facts.adjustable && html`<button disabled=${enter === now} onClick=${apply}>Apply now</button>`}
      <button class="quiet" disabled=${enter === now} onClick=${() => setEnter(now)}>Back to ${score(now)}</button></div>
    ${changed && html`<p class="hint">Changed on this page or over MQTT; <button class="link" onClick=${undo}>go back to the config</button>.</p>`}
    ${!live.facts.adjustable && html`<p class="hint">In the config: <code>events.classes.${label}.enter: ${score(enter)}</code>. A running monitor with <code>web.write: true</code> applies it here.</p>`}
    <p role="status">${said}</p>`;
}

export function Tune({ live }) {
  const [label, setLabel] = useState("");
  const [days, setDays] = useState(7);
  const [, again] = useState(0);
  useEffect(() => {
    const hello = () => again((n) => n + 1);
    live.addEventListener("hello", hello);
    return () => live.removeEventListener("hello", hello);
  }, []);
  if (!live.facts) return html`<p class="wait">Connecting…</p>`;
  const labels = Object.keys(live.facts.classes);
  if (!labels.length) return html`<${Notice} title="No class makes events">See events.enabled in the config.</${Notice}>`;
  const chosen = labels.includes(label) ? label : labels[0];
  return html`<section class="card tune" aria-labelledby="tune"><h2 id="tune">Thresholds</h2>
    <div class="line"><label for="class">Class</label><select id="class" onChange=${(e) => setLabel(e.target.value)}>
      ${labels.map((one) => html`<option value=${one} selected=${one === chosen}>${words(one)}</option>`)}</select>
      <div class="ranges" role="group" aria-label="Days looked at">${DAYS.map((n) => html`<button class="quiet" aria-pressed=${n === days} onClick=${() => setDays(n)}>${n === 1 ? "1 day" : `${n} days`}</button>`)}</div></div>
    <${Class} key=${chosen} live=${live} label=${chosen} days=${days} />
  </section>`;
}
