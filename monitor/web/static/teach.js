// Own sounds: what was taught, and teaching from moments that were marked on this page.
import { api, count, dayOf, html, Notice, useEffect, useLoad, useState, words } from "./base.js";

const ALARMS = { "0.1": "1 in 10 days", "0.5": "1 in 2 days", 1: "1 a day", 5: "5 a day" };

/** What to expect, as the monitor printed it: a name and a value a line. */
export function Expected({ lines }) {
  return html`<dl class="facts">${lines.map((line) => {
    const [, name, value] = /^(\S+)\s+(.*)$/.exec(line);
    return html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
  })}</dl>`;
}

export const titleOf = (head) => (head.kind === "reject" ? `${words(head.label)}, never again` : words(head.name));

function Head({ head, write, again }) {
  const [failed, setFailed] = useState("");
  const [asked, ask] = useState(false);
  const remove = (newest) => api(`heads/${head.name}${newest ? "?newest=true" : ""}`, { method: "DELETE" }).then(again, (error) => setFailed(error.message));
  const title = titleOf(head);
  return html`<li class="taught"><div class="head"><h3>${title}</h3><span class="hint">version ${head.version}${head.created ? `, ${dayOf(new Date(head.created))}` : ""}</span></div>
    ${head.text && html`<${Expected} lines=${head.text} />`}
    ${!head.used && html`<p class="failed">Not in use: ${head.error ?? `it was taught on ${head.model}; teach it again`}</p>`}
    ${write && html`<div class="line">${asked
      ? html`<button class="danger" onClick=${() => remove(false)}>Forget ${title}</button><button class="quiet" onClick=${() => ask(false)}>Keep it</button>`
      : html`<button class="quiet" onClick=${() => ask(true)}>Forget it</button>`}
      ${head.versions > 1 && !asked && html`<button class="quiet" onClick=${() => remove(true)}>Back to the version before</button>`}</div>`}
    ${failed && html`<p class="failed" role="alert">${failed}</p>`}</li>`;
}

/** A form that teaches; `body` is what is sent beside what it was given. */
function useTeach(again) {
  const [state, setState] = useState({});
  const teach = async (body) => {
    setState({ busy: true });
    try {
      const head = await api("heads", { method: "POST", body });
      setState({ head });
      again?.();
    } catch (error) {
      setState({ failed: error.message });
    }
  };
  return [state, teach];
}

/** What came of teaching. */
function Outcome({ state }) {
  return html`<div role="status">${state.busy && html`<p class="hint">Teaching…</p>`}
    ${state.failed && html`<p class="failed">${state.failed}</p>`}
    ${state.head && html`<p class="good">In force now: ${titleOf(state.head)}.</p><${Expected} lines=${state.head.text} />`}</div>`;
}

function OwnSound({ marks, known, again }) {
  const own = marks.filter((one) => !known.includes(one.label) && one.right + one.missed);
  const [label, setLabel] = useState("");
  const [alarms, setAlarms] = useState("1");
  const [state, teach] = useTeach(again);
  const chosen = own.some((one) => one.label === label) ? label : own[0]?.label;
  if (!own.length) {
    return html`<${Notice} title="No moment is marked with a name of your own">Let the sound happen, then mark it under Now: drag over it in the picture, give it a name. Or choose events in the history. Five to twenty examples from different times are good.</${Notice}>`;
  }
  const moments = own.find((one) => one.label === chosen);
  return html`<form onSubmit=${(event) => { event.preventDefault(); teach({ kind: "sound", label: chosen, alarms_a_day: Number(alarms) }); }}>
    <div class="fields"><label>Sound<select onChange=${(e) => setLabel(e.target.value)}>${own.map((one) => html`<option value=${one.label} selected=${one.label === chosen}>${words(one.label)}: ${count(one.right + one.missed, "moment")}</option>`)}</select></label>
      <label>False alarms allowed<select onChange=${(e) => setAlarms(e.target.value)}>${Object.entries(ALARMS).map(([value, text]) => html`<option value=${value} selected=${value === alarms}>${text}</option>`)}</select></label>
      <button disabled=${state.busy || moments.right + moments.missed < 2}>Teach it</button></div>
    ${moments.right + moments.missed < 5 && html`<p class="hint">Five moments or more are good; two are the least.</p>`}
    <${Outcome} state=${state} /></form>`;
}

function NeverAgain({ marks, known, again }) {
  const wrong = marks.filter((one) => known.includes(one.label) && one.false_alarm);
  const [label, setLabel] = useState("");
  const [state, teach] = useTeach(again);
  const chosen = wrong.some((one) => one.label === label) ? label : wrong[0]?.label;
  if (!wrong.length) return html`<${Notice} title="No false alarm is marked">Say “false alarm” of an alert, here or in the history: then the sound behind it can be silenced without switching the class off.</${Notice}>`;
  return html`<form onSubmit=${(event) => { event.preventDefault(); teach({ kind: "reject", label: chosen }); }}>
    <div class="fields"><label>Class<select onChange=${(e) => setLabel(e.target.value)}>${wrong.map((one) => html`<option value=${one.label} selected=${one.label === chosen}>${words(one.label)}: ${count(one.false_alarm, "false alarm")}</option>`)}</select></label>
      <button disabled=${state.busy}>Never again</button></div>
    <${Outcome} state=${state} /></form>`;
}

/** Teaches from events that were chosen in the history. */
export function FromEvents({ events, clear }) {
  const [label, setLabel] = useState("");
  const [state, teach] = useTeach(null);
  const event_id = events.map((one) => one.event_id);
  const classes = [...new Set(events.map((one) => one.label))];
  return html`<form class="chosen-events" aria-label="Teach from the chosen events" onSubmit=${(event) => { event.preventDefault(); teach({ kind: "sound", label: label.trim(), event_id }); }}>
    <div class="fields"><label>Name of ${count(events.length, "chosen event")}<input value=${label} onInput=${(e) => setLabel(e.target.value)} pattern="[A-Za-z0-9_\\-]+" title="letters, digits, _ and -" maxlength="60" placeholder="own_dog" required /></label>
      <button disabled=${state.busy || events.length < 2}>Teach a sound</button>
      ${classes.length === 1 && html`<button type="button" class="quiet" disabled=${state.busy} onClick=${() => teach({ kind: "reject", label: classes[0], event_id })}>Never ${words(classes[0])} again of these</button>`}
      <button type="button" class="quiet" onClick=${clear}>Choose none</button></div>
    <${Outcome} state=${state} /></form>`;
}

export function Teach({ live }) {
  const [, ready] = useState(0);
  useEffect(() => {
    const hello = () => ready((n) => n + 1);
    live.addEventListener("hello", hello);
    return () => live.removeEventListener("hello", hello);
  }, []);
  const { data, error, again } = useLoad((signal) => api("heads", { signal }), []);
  if (error) return html`<section class="card"><${Notice} title=${error} again=${again} /></section>`;
  if (!data || !live.facts) return html`<p class="wait">Loading…</p>`;
  const { write, adjustable } = live.facts;
  const taught = data.heads.filter((head) => head.kind === "sound").map((head) => head.name);
  const known = live.facts.labels.filter((label) => !taught.includes(label));
  const can = write && adjustable && data.embedding;
  const why = !write ? html`To teach here, set <code>web.write: true</code>.` : !adjustable ? "A replay cannot be taught." : "This model gives no embedding, so nothing can be taught on it.";
  return html`<div class="teach">
    <section class="card" aria-labelledby="taught"><h2 id="taught">Taught here</h2>
      ${data.heads.length ? html`<ul class="heads">${data.heads.map((head) => html`<${Head} key=${head.name} head=${head} write=${write && adjustable} again=${again} />`)}</ul>`
        : html`<${Notice} title="Nothing yet">A doorbell, a washing machine that is done, your own dog: what you teach is reported like any other sound.</${Notice}>`}</section>
    <div class="column">
      ${can ? html`<section class="card" aria-labelledby="own"><h2 id="own">A sound of your own</h2><${OwnSound} marks=${data.marks} known=${known} again=${again} /></section>
      <section class="card" aria-labelledby="never"><h2 id="never">Never this sound again</h2><${NeverAgain} marks=${data.marks} known=${[...known, ...taught]} again=${again} /></section>`
        : html`<section class="card"><${Notice} title="Only to look at">${why}</${Notice}></section>`}
      <p class="hint">Told apart from ${data.background_h < 1 ? `${Math.round(60 * data.background_h)} min` : `${data.background_h.toFixed(1)} h`} of what is usually heard here: numbers, no audio. It grows to two hours while this page is enabled.</p>
    </div></div>`;
}
