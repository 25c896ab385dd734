// The history: timeline by class, heat map by hour and weekday, events with details and verdicts.
import { api, bytes, Canvas, colours, dayOf, decibels, drawPitches, html, hue, ink, isDark, lasted, minuteOf, momentOf, Notice, paint, percent, timeOf, useCallback, useEffect, useLoad, useMemo, useState, words } from "./base.js";
import { Expected, FromEvents, titleOf } from "./teach.js";

const DAY = 86_400_000;
const RANGES = { "24 hours": DAY, "7 days": 7 * DAY, "30 days": 30 * DAY, year: 365 * DAY };
const SHORTEST = 60_000;
const SINGLY = 3 * DAY; // up to here events are drawn one by one
const MOST = 1500; // events drawn one by one
const ROW = 26;
const AXIS = 22;
const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

const seconds = (ms) => (ms / 1000).toFixed(0);
const offset = () => -new Date().getTimezoneOffset();
const query = (values) => {
  const found = new URLSearchParams();
  for (const [key, value] of Object.entries(values)) for (const one of [value].flat()) found.append(key, one);
  return found;
};

/** Step of the axis that leaves room for so many words. */
function step(span, most) {
  const steps = [60_000, 300_000, 900_000, 3_600_000, 3 * 3_600_000, 6 * 3_600_000, 12 * 3_600_000, DAY, 2 * DAY, 7 * DAY, 30 * DAY, 90 * DAY];
  return steps.find((one) => span / one <= most) ?? 365 * DAY;
}

function drawAxis(context, width, height, from, to) {
  const every = step(to - from, Math.max(2, Math.floor(width / 105)));
  context.font = "12px system-ui, sans-serif";
  context.fillStyle = ink("muted");
  context.strokeStyle = ink("grid");
  const shift = offset() * 60_000;
  for (let at = Math.ceil((from + shift) / every) * every - shift; at < to; at += every) {
    const x = ((at - from) / (to - from)) * width;
    context.beginPath();
    context.moveTo(x, 0);
    context.lineTo(x, height - AXIS);
    context.stroke();
    const date = new Date(at);
    const text = every < DAY && (at + shift) % DAY ? timeOf(date).replace(/:\d\d(?!.*:)/, "") : dayOf(date);
    if (x + context.measureText(text).width < width) context.fillText(text, x + 3, height - 6);
  }
}

function drawEvents(context, width, rows, events, from, to, labels) {
  for (const event of events) {
    const row = rows.indexOf(event.label);
    if (row < 0) continue;
    const start = Date.parse(event.start);
    const end = event.end ? Date.parse(event.end) : to;
    const x = Math.min(((start - from) / (to - from)) * width, width - 3); // the newest stand at the very end
    context.fillStyle = hue(labels, event.label);
    context.globalAlpha = event.verdict === "false_alarm" ? 0.35 : 1;
    context.beginPath();
    context.roundRect(x, row * ROW + 6, Math.max(3, ((end - start) / (to - from)) * width), ROW - 12, 2);
    context.fill();
  }
  context.globalAlpha = 1;
}

function drawCounts(context, width, rows, counts, from, to, labels, bucket) {
  const most = Math.max(1, ...counts.map((one) => one[2]));
  for (const [label, at, count] of counts) {
    const row = rows.indexOf(label);
    const start = Date.parse(bucket === DAY ? `${at}T00:00` : `${at}:00`);
    const x = ((start - from) / (to - from)) * width;
    context.fillStyle = hue(labels, label);
    context.globalAlpha = 0.25 + 0.75 * Math.sqrt(count / most);
    context.fillRect(x, row * ROW + 5, Math.max(2, (bucket / (to - from)) * width - 1), ROW - 10);
  }
  context.globalAlpha = 1;
}

function Timeline({ span, setSpan, rows, labels, events, counts, bucket, choose }) {
  const [from, to] = span;
  const height = Math.max(1, rows.length) * ROW + AXIS;
  const draw = useCallback((context, width) => {
    drawAxis(context, width, height, from, to);
    if (events) drawEvents(context, width, rows, events, from, to, labels);
    else drawCounts(context, width, rows, counts, from, to, labels, bucket);
  }, [from, to, rows, labels, events, counts, bucket, height]);
  const zoom = (factor, around = 0.5) => {
    const at = from + around * (to - from);
    const length = Math.min(Math.max((to - from) * factor, SHORTEST), 2 * RANGES.year);
    setSpan([at - around * length, at + (1 - around) * length]);
  };
  const move = (share) => setSpan([from + share * (to - from), to + share * (to - from)]);
  const keys = { ArrowLeft: () => move(-0.25), ArrowRight: () => move(0.25), "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2) };
  const press = (event) => {
    if (keys[event.key] && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      keys[event.key]();
    }
  };
  const click = (event) => {
    const box = event.target.getBoundingClientRect();
    const share = (event.clientX - box.left) / box.width;
    const label = rows[Math.floor((event.clientY - box.top) / ROW)];
    const at = from + share * (to - from);
    const slack = (6 / box.width) * (to - from);
    const hit = events?.find((one) => one.label === label && Date.parse(one.start) - slack <= at && at <= (one.end ? Date.parse(one.end) : to) + slack);
    if (hit) choose(hit.event_id);
    else if (!events) zoom(0.25, share);
  };
  return html`<div class="timeline">
    <div class="names" aria-hidden="true">${rows.map((label) => html`<span key=${label}>${words(label)}</span>`)}</div>
    <${Canvas} className="plot" draw=${draw} style=${{ height: `${height}px` }} tabindex="0" onKeyDown=${press} onClick=${click}
      label="Timeline of events by class. Arrow keys move, plus and minus zoom; the table of events holds the same." />
    <div class="zoom"><button class="quiet" onClick=${() => move(-0.5)} aria-label="Earlier">‹</button>
      <button class="quiet" onClick=${() => zoom(0.5)} aria-label="Zoom in">+</button>
      <button class="quiet" onClick=${() => zoom(2)} aria-label="Zoom out">−</button>
      <button class="quiet" onClick=${() => move(0.5)} aria-label="Later">›</button></div>
  </div>`;
}

function HeatMap({ counts, labels }) {
  const cells = useMemo(() => {
    const found = Array.from({ length: 7 }, () => Array(24).fill(0));
    for (const [label, at, count] of counts) {
      const [weekday, hour] = at.split(" ").map(Number);
      if (labels.includes(label)) found[(weekday + 6) % 7][hour] += count;
    }
    return found;
  }, [counts, labels]);
  const most = Math.max(1, ...cells.flat());
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Events by weekday and hour"><table class="heat">
    <caption class="unseen">Events by weekday and hour</caption>
    <thead><tr><td></td>${Array.from({ length: 24 }, (_, hour) => html`<th scope="col"><span class=${hour % 3 ? "unseen" : ""}>${hour}</span></th>`)}</tr></thead>
    <tbody>${cells.map((row, i) => html`<tr><th scope="row">${DAYS[i]}</th>${row.map((count, hour) =>
      html`<td style=${{ "--heat": Math.sqrt(count / most) }} title=${`${DAYS[i]} ${hour} to ${hour + 1} h: ${count}`}><span class="unseen">${count}</span></td>`)}</tr>`)}</tbody>
  </table></div>`;
}

function Picture({ picture, event, pitches }) {
  const rows = useMemo(() => bytes(picture.rows), [picture]);
  const draw = useCallback((context, width, height) => {
    const frames = rows.length / picture.bands;
    const store = document.createElement("canvas");
    store.width = frames;
    store.height = picture.bands;
    paint(store.getContext("2d"), 0, rows, picture.bands, colours(isDark()));
    context.drawImage(store, 0, 0, width, height);
    const length = frames * picture.row_s;
    const x = ((event.start_s - picture.start_s) / length) * width;
    const end = event.end_s === null ? width : ((event.end_s - picture.start_s) / length) * width;
    context.fillStyle = ink("alert");
    context.fillRect(x, height - 4, Math.min(width, end) - x, 4);
    drawPitches(context, pitches, 0, height - 4);
    context.fillStyle = ink("muted");
  }, [rows, picture, event, pitches]);
  return html`<${Canvas} className="moment" draw=${draw} label=${`Log-mel spectrogram of this ${words(event.label)}`} />`;
}

/** After "false alarm": the sound behind it can be silenced. */
function Never({ event }) {
  const [state, setState] = useState({});
  const teach = async () => {
    setState({ busy: true });
    try {
      setState({ head: await api("heads", { method: "POST", body: { kind: "reject", label: event.label } }) });
    } catch (error) {
      setState({ failed: error.message });
    }
  };
  return html`<div class="never">${!state.head && html`<button class="quiet" disabled=${state.busy} onClick=${teach}>Never this sound again</button>`}
    <div role="status">${state.failed && html`<p class="failed">${state.failed}</p>`}
      ${state.head && html`<p class="good">In force now: ${titleOf(state.head)}.</p><${Expected} lines=${state.head.text} />`}</div></div>`;
}

function Details({ id, facts, close, changed }) {
  const { write, adjustable, pitches } = facts;
  const { data, error, loading, again } = useLoad((signal) => api(`events/${encodeURIComponent(id)}`, { signal }), [id]);
  const [failed, setFailed] = useState("");
  if (error) return html`<aside class="card details"><${Notice} title=${error} again=${again} /></aside>`;
  if (!data) return html`<aside class="card details" aria-busy=${loading}><p class="wait">Loading…</p></aside>`;
  const { event, picture, clip } = data;
  const judge = async (verdict) => {
    try {
      if (event.verdict === verdict) await api(`verdicts/${event.event_id}`, { method: "DELETE" });
      else await api("verdicts", { method: "POST", body: { verdict, event_id: event.event_id } });
      setFailed("");
      again();
      changed();
    } catch (reason) {
      setFailed(reason.message);
    }
  };
  const figures = {
    began: momentOf(new Date(event.start)), lasted: lasted(event.duration_s), score: `${percent(event.score)}, threshold ${percent(event.threshold)}`,
    level: `${decibels(event.level_dbfs)} dBFS, ${decibels(event.over_background_db)} dB over the background`, "detected after": lasted(event.delay_s),
    ended: event.reason ?? "still on", ...(event.held_back ? { notice: `none: ${words(event.held_back)}` } : {}), model: `${event.model} ${event.model_version}`,
  };
  return html`<aside class="card details" aria-labelledby="details">
    <div class="head"><h2 id="details">${words(event.label)}</h2><button class="quiet" onClick=${close} aria-label="Close the details">✕</button></div>
    ${picture ? html`<${Picture} picture=${picture} event=${event} pitches=${pitches} />` : html`<p class="wait">No spectrogram was kept with this event.</p>`}
    ${clip && html`<audio class="clip" controls preload="none" aria-label=${`Recording of this ${words(event.label)}`} key=${event.event_id} src=${`api/events/${encodeURIComponent(event.event_id)}/clip`}></audio>`}
    <dl class="facts">${Object.entries(figures).map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}
      ${event.overlapping.length > 0 && html`<div><dt>together with</dt><dd>${event.overlapping.map(words).join(", ")}</dd></div>`}</dl>
    ${write ? html`<div class="verdict wide" role="group" aria-label="Was it right?">
      <button aria-pressed=${event.verdict === "right"} onClick=${() => judge("right")}>Right</button>
      <button aria-pressed=${event.verdict === "false_alarm"} onClick=${() => judge("false_alarm")}>False alarm</button></div>`
      : html`<p class="hint">To judge alerts here, set <code>web.write: true</code>.</p>`}
    ${adjustable && event.verdict === "false_alarm" && html`<${Never} event=${event} />`}
    ${failed && html`<p class="failed" role="alert">${failed}</p>`}
  </aside>`;
}

function Events({ span, chosen, choose, labels, all, round, write }) {
  const [picked, pick] = useState([]);
  const [pages, setPages] = useState({ events: [], next: null });
  const values = { since: seconds(span[0]), until: seconds(span[1]), limit: 50, ...(labels.length < all.length ? { label: labels } : {}) };
  const key = `${query(values)} ${round}`;
  const { data, error, loading, again } = useLoad((signal) => api(`events?${query(values)}`, { signal }), [key]);
  useEffect(() => data && setPages(data), [data]);
  const more = async () => {
    const next = await api(`events?${query({ ...values, after: pages.next })}`);
    setPages({ events: [...pages.events, ...next.events], next: next.next });
  };
  if (error) return html`<${Notice} title=${error} again=${again} />`;
  if (!data && loading) return html`<p class="wait">Loading…</p>`;
  if (!pages.events.length) return html`<${Notice} title="Nothing was reported in this time">Choose a longer time, or other classes.</${Notice}>`;
  const toggle = (one) => pick(picked.some((other) => other.event_id === one.event_id) ? picked.filter((other) => other.event_id !== one.event_id) : [...picked, one]);
  return html`${picked.length > 0 && html`<${FromEvents} events=${picked} clear=${() => pick([])} />`}
  <div class="scroll"><table class="events">
    <thead><tr>${write && html`<th scope="col"><span class="unseen">Choose</span></th>`}<th scope="col">Began</th><th scope="col">Class</th><th scope="col">Lasted</th><th scope="col">Score</th><th scope="col">Level</th><th scope="col">Verdict</th></tr></thead>
    <tbody>${pages.events.map((one) => html`<tr key=${one.event_id} class=${one.event_id === chosen ? "chosen" : ""}>
      ${write && html`<td class="pick"><input type="checkbox" aria-label=${`Choose ${words(one.label)} of ${momentOf(new Date(one.start))}`} checked=${picked.some((other) => other.event_id === one.event_id)} onChange=${() => toggle(one)} /></td>`}
      <td><button class="link" onClick=${() => choose(one.event_id)}>${momentOf(new Date(one.start))}</button></td>
      <td><i class="swatch" style=${{ "--hue": hue(all, one.label) }}></i>${words(one.label)}</td><td>${lasted(one.duration_s)}</td>
      <td class="number">${percent(one.score)}</td><td class="number">${decibels(one.level_dbfs, 0)} dBFS</td>
      <td>${{ right: "right", false_alarm: "false alarm" }[one.verdict] ?? ""}</td></tr>`)}</tbody>
  </table></div>
  ${pages.next && html`<button class="more" onClick=${more}>Show more</button>`}`;
}

function Precision({ weeks, labels }) {
  const sums = {};
  for (const { label, right, false_alarm: wrong, missed } of weeks) {
    const sum = (sums[label] ??= [0, 0, 0]);
    sum[0] += right; sum[1] += wrong; sum[2] += missed;
  }
  const rows = Object.entries(sums).sort();
  if (!rows.length) return html`<${Notice} title="No verdict yet">Say of alerts whether they were right: the share by class appears here, and they can be taught from.</${Notice}>`;
  return html`<div class="scroll"><table class="precision">
    <thead><tr><th scope="col">Class</th><th scope="col">Right</th><th scope="col">False</th><th scope="col">Missed</th><th scope="col">Precision</th></tr></thead>
    <tbody>${rows.map(([label, [right, wrong, missed]]) => html`<tr><th scope="row"><i class="swatch" style=${{ "--hue": hue(labels, label) }}></i>${words(label)}</th>
      <td class="number">${right}</td><td class="number">${wrong}</td><td class="number">${missed}</td>
      <td class="bar">${right + wrong ? html`<span class="track" style=${{ "--score": right / (right + wrong) }} aria-hidden="true"><i class="fill"></i></span>${percent(right / (right + wrong))}` : "no verdict"}</td></tr>`)}</tbody>
  </table></div>`;
}

/** Everything that is drawn of a span: single events while they are few, else counts. */
async function load(span, labels, signal) {
  const [from, to] = span;
  // Counts are by whole hours, that of the end among them.
  const values = { since: seconds(from), until: seconds(Math.ceil(to / 3_600_000) * 3_600_000), offset_min: offset() };
  const bucket = to - from <= 31 * DAY ? 3_600_000 : DAY;
  const [{ counts }, week] = await Promise.all([
    api(`counts?${query({ ...values, by: bucket === DAY ? "day" : "hour" })}`, { signal }),
    api(`counts?${query({ ...values, by: "week" })}`, { signal }),
  ]);
  if (to - from > SINGLY) return { counts, week: week.counts, bucket };
  const events = [];
  let after;
  do {
    const page = await api(`events?${query({ since: values.since, until: seconds(to), limit: 500, ...(after ? { after } : {}) })}`, { signal });
    events.push(...page.events);
    after = page.next;
  } while (after && events.length < MOST);
  return { counts, week: week.counts, bucket, events: after ? null : events };
}

export function History({ live }) {
  const [span, setSpan] = useState(() => [Date.now() - DAY, Date.now()]);
  const [hidden, hide] = useState([]);
  const [chosen, choose] = useState(null);
  const [round, setRound] = useState(0);
  const [, ready] = useState(0);
  useEffect(() => {
    const hello = () => ready((n) => n + 1);
    live.addEventListener("hello", hello);
    return () => live.removeEventListener("hello", hello);
  }, []);
  useEffect(() => {
    const ended = ({ detail }) => detail?.type === "end" && setRound((n) => n + 1);
    live.addEventListener("alerts", ended);
    return () => live.removeEventListener("alerts", ended);
  }, []);
  const { data, error, loading, again } = useLoad((signal) => load(span, [], signal), [span[0], span[1], round]);
  const precision = useLoad((signal) => api("precision?weeks=8", { signal }), [round]);
  const known = live.facts?.labels ?? [];
  const present = useMemo(() => [...new Set((data?.counts ?? []).map((one) => one[0]))].sort(), [data]);
  const rows = useMemo(() => present.filter((label) => !hidden.includes(label)), [present, hidden]);
  const jump = (length) => setSpan([Date.now() - length, Date.now()]);
  const toggle = (label) => hide(hidden.includes(label) ? hidden.filter((one) => one !== label) : [...hidden, label]);
  if (error && !data) return html`<section class="card"><${Notice} title=${error} again=${again} /></section>`;
  const wanted = query({ since: seconds(span[0]), until: seconds(span[1]), ...(hidden.length ? { label: rows } : {}) });
  const write = Boolean(live.facts?.write);
  return html`<div class=${chosen ? "history with-details" : "history"}>
    <section class="card" aria-labelledby="when" aria-busy=${Boolean(loading)}>
      <div class="head"><h2 id="when">${minuteOf(new Date(span[0]))} to ${minuteOf(new Date(span[1]))}</h2>
        <div class="ranges" role="group" aria-label="Time shown">${Object.entries(RANGES).map(([name, length]) =>
          html`<button class="quiet" aria-pressed=${Math.abs(span[1] - span[0] - length) < 1000} onClick=${() => jump(length)}>${name}</button>`)}</div></div>
      ${present.length > 0 && html`<div class="filters" role="group" aria-label="Classes shown">${present.map((label) => html`<button key=${label} class="quiet filter" aria-pressed=${!hidden.includes(label)} onClick=${() => toggle(label)}>
        <i class="swatch" style=${{ "--hue": hue(known, label) }}></i>${words(label)}</button>`)}</div>`}
      ${!data ? html`<p class="wait">Loading…</p>` : present.length === 0 ? html`<${Notice} title="Nothing was reported in this time">As soon as there is an alert, it appears here.</${Notice}>`
        : html`<${Timeline} span=${span} setSpan=${setSpan} rows=${rows} labels=${known} events=${data.events} counts=${data.counts} bucket=${data.bucket} choose=${choose} />`}
    </section>
    ${chosen && html`<${Details} id=${chosen} facts=${live.facts ?? {}} close=${() => choose(null)} changed=${() => setRound((n) => n + 1)} />`}
    <section class="card" aria-labelledby="events"><div class="head"><h2 id="events">Events</h2>
      <span class="exports">Export <a href=${`api/export?format=csv&${wanted}`} download>CSV</a> <a href=${`api/export?format=json&${wanted}`} download>JSON</a></span></div>
      <${Events} span=${span} chosen=${chosen} choose=${choose} labels=${rows.length ? rows : known} all=${known} round=${round} write=${write && live.facts.adjustable} /></section>
    <section class="card" aria-labelledby="heat"><h2 id="heat">When it happens</h2>${data && html`<${HeatMap} counts=${data.week} labels=${rows} />`}</section>
    <section class="card" aria-labelledby="precision"><h2 id="precision">Verdicts of eight weeks</h2>
      ${precision.data ? html`<${Precision} weeks=${precision.data.weeks} labels=${known} />` : precision.error ? html`<${Notice} title=${precision.error} again=${precision.again} />` : html`<p class="wait">Loading…</p>`}</section>
  </div>`;
}
