// What it hears now: scrolling log-mel, level, classes with their marks, alerts, and why not.
import { bytes, calm, colours, decibels, drawPitches, heard, html, hue, ink, isDark, lasted, paint, percent, score, timeOf, useEffect, useMemo, useRef, useState, words, api, Notice } from "./base.js";

const WIDE_S = 30;
const NARROW_S = 12;
const STRIP = 18; // pixels above the picture, for the names of alerts
const METER_DBFS = 90;
const AXIS = 17; // pixels below the picture, for the seconds
const LEAST_MARK_S = 0.2;
const MARKABLE_S = 55; // the monitor keeps a minute

/** Keeps the newest columns in a canvas of its own and draws them sliding. */
class Scroll {
  #store = document.createElement("canvas");
  #context = this.#store.getContext("2d");
  #newest_s = 0; // end of the newest column, on the stream's clock
  #row_s = 0.02;
  #used = 0;

  add(hop, hop_s) {
    if (!hop.rows) return;
    const rows = bytes(hop.rows);
    const frames = rows.length / hop.bands;
    const wanted = Math.ceil(((WIDE_S + 4) / hop_s) * frames);
    if (this.#store.height !== hop.bands || this.#store.width !== wanted || hop.time_s < this.#newest_s) {
      this.#store.width = wanted;
      this.#store.height = hop.bands;
      this.#used = 0;
    }
    const missing = this.#used ? Math.round((hop.time_s - hop_s - this.#newest_s) / this.#row_s) : 0;
    this.#row_s = hop_s / frames;
    const shift = frames + Math.min(Math.max(missing, 0), wanted);
    this.#context.globalCompositeOperation = "copy";
    this.#context.drawImage(this.#store, -shift, 0);
    this.#context.globalCompositeOperation = "source-over";
    paint(this.#context, wanted - frames, rows, hop.bands, colours(isDark()));
    this.#used = Math.min(wanted, this.#used + shift);
    this.#newest_s = hop.time_s;
  }

  get empty() {
    return !this.#used;
  }

  draw(context, width, height, right_s, span_s) {
    const scale = width / span_s;
    const left = width - (right_s - this.#newest_s) * scale - this.#store.width * this.#row_s * scale;
    context.imageSmoothingEnabled = true;
    context.drawImage(this.#store, left, STRIP, this.#store.width * this.#row_s * scale, height - STRIP - AXIS);
  }
}

/** The stretch of the stream that is in the picture. */
function shown(live, width) {
  const span_s = width < 520 ? NARROW_S : WIDE_S;
  const hop_s = live.facts.hop_s;
  const since = calm() ? hop_s : Math.min((performance.now() - live.arrived) / 1000, hop_s);
  return { span_s, right_s: live.hop.time_s - hop_s + since };
}

function drawScene(context, width, height, scroll, live, labels) {
  context.clearRect(0, 0, width, height);
  const { span_s, right_s } = shown(live, width);
  scroll.draw(context, width, height, right_s, span_s);
  const at = (time_s) => width - (right_s - time_s) * (width / span_s);
  context.font = "600 12px system-ui, sans-serif";
  for (const alert of live.alerts) {
    const from = at(alert.start_s);
    const to = alert.end_s === null ? width : at(alert.end_s);
    if (to < 0 || from > width || alert.start_s > live.hop.time_s) continue;
    context.fillStyle = hue(labels, alert.label);
    context.fillRect(Math.max(0, from), STRIP - 4, Math.max(2, to - Math.max(0, from)), 4);
    const name = words(alert.label);
    context.fillText(name, Math.max(2, Math.min(from, width - context.measureText(name).width)), STRIP - 7);
  }
  if (live.marked) {
    const [from, to] = [at(live.marked.from_s), at(live.marked.to_s)];
    context.globalAlpha = 0.25;
    context.fillStyle = ink("mark");
    context.fillRect(from, STRIP, to - from, height - STRIP - AXIS);
    context.globalAlpha = 1;
    context.fillRect(from, STRIP, 2, height - STRIP - AXIS);
    context.fillRect(to - 2, STRIP, 2, height - STRIP - AXIS);
  }
  drawPitches(context, live.facts.pitches, STRIP, height - STRIP - AXIS);
  context.fillStyle = ink("muted");
  context.strokeStyle = ink("line");
  context.textAlign = "center";
  for (let back = 5; back < span_s; back += 5) {
    const x = width - back * (width / span_s);
    context.beginPath();
    context.moveTo(x, height - AXIS);
    context.lineTo(x, height - AXIS + 4);
    context.stroke();
    context.fillText(`−${back} s`, x, height - 2);
  }
  context.textAlign = "right";
  context.fillText("now", width, height - 2);
  context.textAlign = "left";
}

/** Marks a stretch of the picture by dragging over it. */
function marking(live) {
  let from_s = null;
  const time = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    const { span_s, right_s } = shown(live, box.width);
    return right_s - ((box.right - Math.min(Math.max(event.clientX, box.left), box.right)) / box.width) * span_s;
  };
  return {
    onPointerDown: (event) => {
      if (!live.hop || event.button) return;
      event.currentTarget.setPointerCapture(event.pointerId);
      from_s = time(event);
      live.mark(null);
    },
    onPointerMove: (event) => {
      if (from_s === null) return;
      const to_s = time(event);
      if (Math.abs(to_s - from_s) >= LEAST_MARK_S) live.mark({ from_s: Math.min(from_s, to_s), to_s: Math.max(from_s, to_s) });
    },
    onPointerUp: () => { from_s = null; },
    onPointerCancel: () => { from_s = null; },
  };
}

function Spectrogram({ live, write, waits }) {
  const ref = useRef();
  const scroll = useRef(null);
  const [shows, setShows] = useState(null);
  const marks = useMemo(() => marking(live), [live]);
  useEffect(() => {
    scroll.current = new Scroll();
    let frame = 0;
    let last = 0;
    const took = ({ detail }) => {
      scroll.current.add(detail, live.facts.hop_s);
      setShows(Boolean(detail.rows));
    };
    const draw = (now) => {
      frame = requestAnimationFrame(draw);
      const canvas = ref.current;
      if (!canvas || !live.hop || scroll.current.empty || now - last < (calm() ? 900 : 45)) return;
      last = now;
      const ratio = devicePixelRatio || 1;
      const { clientWidth: width, clientHeight: height } = canvas;
      if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
      if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
      const context = canvas.getContext("2d");
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      drawScene(context, width, height, scroll.current, live, live.facts.labels);
    };
    live.addEventListener("hop", took);
    frame = requestAnimationFrame(draw);
    return () => {
      live.removeEventListener("hop", took);
      cancelAnimationFrame(frame);
    };
  }, []);
  return html`<figure class="spectrogram">
    <canvas ref=${ref} class=${write ? "markable" : ""} ...${write ? marks : {}} role="img" aria-label="Log-mel spectrogram of the last seconds, low pitches at the bottom; the table of classes says what was recognised"></canvas>
    ${shows === false && html`<p class="over">This model takes raw audio: there is no spectrogram to show.</p>`}
    ${waits && html`<p class="over">${waits}</p>`}
    <figcaption>What the model sees: pitch over time, no recording.${write ? " Drag over a sound to mark it." : ""}</figcaption>
  </figure>`;
}

const onMeter = (dbfs) => Math.min(1, Math.max(0, 1 + dbfs / METER_DBFS));

function LevelMeter({ hop }) {
  const [rms, peak, background] = hop.level;
  const style = { "--rms": onMeter(rms), "--peak": onMeter(peak), "--background": onMeter(background) };
  return html`<div class="level">
    <div class="meter" role="img" aria-label=${`Level ${rms} dBFS, background ${background} dBFS`} style=${style}>
      <i class="fill"></i><i class="mark background"></i><i class="mark peak"></i>
    </div>
    <dl>
      <div><dt>level</dt><dd>${decibels(rms)}</dd></div>
      <div><dt><i class="mark peak"></i>peak</dt><dd>${decibels(peak)}</dd></div>
      <div><dt><i class="mark background"></i>background</dt><dd>${decibels(background)} dBFS</dd></div>
    </dl>
    <p class=${hop.clipped ? "clip now" : "clip"}>${hop.clipped ? `${hop.clipped} samples clipped` : "not clipped"}</p>
  </div>`;
}

function ClassRow({ label, value, marks, on, near }) {
  const style = { "--score": value, "--enter": marks?.enter ?? 0, "--exit": marks?.exit ?? 0 };
  const state = on ? "on" : near ? near.text : marks ? "" : "makes no events";
  return html`<tr class=${on ? "on" : marks ? "" : "off"}>
    <th scope="row">${words(label)}</th>
    <td class="bar"><span class="track" style=${style} aria-hidden="true"><i class="fill"></i>
      ${marks && html`<i class="mark exit"></i><i class="mark enter"></i>`}</span></td>
    <td class="number">${score(value)}</td>
    <td class="state">${on ? html`<strong>on</strong>` : state}</td>
  </tr>`;
}

function Classes({ live, hop }) {
  const { labels, classes } = live.facts;
  const on = new Set(live.alerts.filter((one) => one.type === "start").map((one) => one.label));
  const near = Object.fromEntries(hop.near.map((one) => [one.label, one]));
  return html`<section class="card classes" aria-labelledby="classes">
    <h2 id="classes">Classes</h2>
    <table>
      <thead class="unseen"><tr><th>Class</th><th>Score against its marks</th><th>Score</th><th>State</th></tr></thead>
      <tbody>${labels.map((label, i) => html`<${ClassRow} key=${label} label=${label} value=${(hop.scores[i] ?? 0) / 1000}
        marks=${classes[label]} on=${on.has(label)} near=${near[label]} />`)}</tbody>
    </table>
    <p class="key"><i class="mark enter"></i> switches on <i class="mark exit"></i> switches off</p>
  </section>`;
}

/** Why an event led to no notice. */
const HELD = { quiet_hours: "quiet hours", count: "too few yet", duration: "too short", interval: "too soon", daily_limit: "day's limit" };

function Verdict({ record, write, judged, judge }) {
  if (!write) return null;
  const name = words(record.label);
  return html`<span class="verdict" role="group" aria-label=${`Was ${name} right?`}>
    <button class="quiet" aria-pressed=${judged === "right"} onClick=${() => judge(record, "right")}>right</button>
    <button class="quiet" aria-pressed=${judged === "false_alarm"} onClick=${() => judge(record, "false_alarm")}>false alarm</button>
  </span>`;
}

function Alerts({ live, write }) {
  const [judged, setJudged] = useState({});
  const [failed, setFailed] = useState("");
  const judge = async (record, verdict) => {
    const taken = judged[record.event_id] === verdict;
    try {
      if (taken) await api(`verdicts/${record.event_id}`, { method: "DELETE" });
      else await api("verdicts", { method: "POST", body: { verdict, event_id: record.event_id } });
      setFailed("");
      setJudged((before) => ({ ...before, [record.event_id]: taken ? null : verdict }));
    } catch (error) {
      setFailed(error.message);
    }
  };
  return html`<section class="card" aria-labelledby="alerts">
    <h2 id="alerts">Alerts</h2>
    ${failed && html`<p class="failed" role="alert">${failed}</p>`}
    ${live.alerts.length === 0 && html`<${Notice} title="No alert since this page was opened">Earlier ones are in the history.</${Notice}>`}
    <ol class="list">${live.alerts.slice(0, 8).map((one) => html`<li key=${one.event_id} class=${one.type === "start" ? "on" : ""}>
      <time datetime=${one.start}>${timeOf(new Date(one.start))}</time>
      <span class="what"><i class="swatch" style=${{ "--hue": hue(live.facts.labels, one.label) }}></i>${words(one.label)}</span>
      <span class="figures">${percent(one.score)}, ${lasted(one.duration_s)}${one.held_back ? html` <span class="held">${HELD[one.held_back]}</span>` : ""}</span>
      <${Verdict} record=${one} write=${write} judged=${judged[one.event_id]} judge=${judge} />
    </li>`)}</ol>
  </section>`;
}

const LASTS = [2, 5, 10, 30];

function Missed({ live }) {
  const [label, setLabel] = useState("");
  const [last, setLast] = useState("2");
  const [said, say] = useState("");
  const { marked } = live;
  const mark = async (event) => {
    event.preventDefault();
    const now = live.utc(live.hop.time_s);
    const span = marked ? { since: live.utc(marked.from_s), until: live.utc(marked.to_s) } : { since: now - Number(last), until: now };
    if (now - span.since > MARKABLE_S) {
      say("That is too long ago: only the last minute can be marked.");
      return;
    }
    try {
      const { embedding } = await api("verdicts", { method: "POST", body: { verdict: "missed", label: label.trim(), ...span } });
      say(embedding ? `Marked as ${words(label.trim())}. Teach makes a sound of such moments.` : "Marked; there is no embedding of that moment, so it cannot be taught from it.");
      live.mark(null);
    } catch (error) {
      say(error.message);
    }
  };
  return html`<form class="missed" onSubmit=${mark}>
    <label for="missed">Did it miss something?</label>
    <span class="line"><input id="missed" list="labels" value=${label} onInput=${(e) => setLabel(e.target.value)} placeholder="siren, doorbell, …" maxlength="100" required />
    <datalist id="labels">${live.facts.labels.map((one) => html`<option value=${one} />`)}</datalist>
    ${marked ? html`<button type="button" class="quiet" onClick=${() => live.mark(null)} aria-label="Unmark the stretch">${(marked.to_s - marked.from_s).toFixed(1)} s marked ✕</button>`
      : html`<select aria-label="When it was" onChange=${(e) => setLast(e.target.value)}>${LASTS.map((one) => html`<option value=${one} selected=${String(one) === last}>the last ${one} s</option>`)}</select>`}
    <button disabled=${!live.hop}>Mark it</button></span>
    <p role="status">${said}</p>
  </form>`;
}

function WhyNot({ live, write }) {
  const off = live.status?.microphone === "off";
  return html`<section class="card why" aria-labelledby="why">
    <h2 id="why">Not reported, and why</h2>
    ${off && html`<p class="deaf"><b>Nothing is reported</b>: ${heard("off", live.status.reason)}.</p>`}
    ${live.near.length === 0 && html`<${Notice} title="Nothing came near">Classes that reach half of their threshold appear here.</${Notice}>`}
    <ol class="list">${live.near.slice(0, 8).map((one) => html`<li key=${one.key}>
      <time datetime=${new Date(1000 * one.since).toISOString()}>${timeOf(new Date(1000 * one.since))}</time>
      <span class="what"><i class="swatch" style=${{ "--hue": hue(live.facts.labels, one.label) }}></i>${words(one.label)}</span>
      <span class="figures">${one.text}</span>
    </li>`)}</ol>
    ${write && html`<${Missed} live=${live} />`}
  </section>`;
}

const KINDS = ["hop", "alerts", "hello", "state", "status"];

export function Now({ live }) {
  const [, again] = useState(0);
  useEffect(() => {
    const changed = () => again((n) => n + 1);
    for (const kind of KINDS) live.addEventListener(kind, changed);
    return () => {
      for (const kind of KINDS) live.removeEventListener(kind, changed);
    };
  }, []);
  if (!live.facts) {
    if (live.state === "lost") return html`<section class="card"><${Notice} title="The monitor does not answer">This page connects by itself as soon as it is back.</${Notice}></section>`;
    return html`<p class="wait">Connecting…</p>`;
  }
  const write = live.facts.write;
  const away = live.state !== "open";
  return html`<div class=${away ? "now away" : "now"}>
    <div class="column">
      <section class="card" aria-label="Sound">
        <${Spectrogram} live=${live} write=${write} waits=${live.hop ? "" : away ? "The monitor is away." : live.status?.microphone === "off" ? heard("off", live.status.reason) : "Waiting for audio…"} />
        ${live.hop && html`<${LevelMeter} hop=${live.hop} />`}
      </section>
      <${Alerts} live=${live} write=${write} />
    </div>
    <div class="column">
      ${live.hop && html`<${Classes} live=${live} hop=${live.hop} />`}
      <${WhyNot} live=${live} write=${write} />
    </div>
    ${live.facts.subscribe && html`<p class="subscribe">The same in a terminal: <code>${live.facts.subscribe}</code></p>`}
  </div>`;
}
