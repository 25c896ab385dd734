// The frame around the views: name, navigation, how the monitor is, alerts for screen readers.
import { api, heard, html, render, useEffect, useState, words } from "./base.js";
import { Live } from "./live.js";
import { Now } from "./now.js";
import { History } from "./history.js";
import { Teach } from "./teach.js";
import { Tune } from "./tune.js";

const VIEWS = { now: ["Now", Now], history: ["History", History], teach: ["Teach", Teach], tune: ["Tune", Tune] };
const PAUSES = { 900: "15 minutes", 3600: "1 hour", 28800: "8 hours" };
const live = new Live();

const viewOf = () => (location.hash.slice(1).split("/")[0] in VIEWS ? location.hash.slice(1).split("/")[0] : "now");

function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  dispatchEvent(new Event("themechange"));
}

function Chip({ good, bad, name, children }) {
  const kind = bad ? "bad" : good ? "good" : "";
  return html`<span class="chip ${kind}"><span class="dot" aria-hidden="true"></span><span><b>${name}</b> ${children}</span></span>`;
}

function Status({ state, status }) {
  if (state !== "open" || !status) {
    const lost = state === "lost";
    return html`<div class="chips"><${Chip} bad=${lost} name="Monitor">${lost ? "not reachable, trying again" : "connecting"}</${Chip}></div>`;
  }
  const { microphone, reason, connected, broker, delay_s: delay, dropped_s: dropped, history } = status;
  return html`<div class="chips">
    <${Chip} good=${microphone === "listening"} bad=${microphone === "lost"} name="Microphone">${heard(microphone, reason)}</${Chip}>
    ${connected !== null && html`<${Chip} good=${connected} bad=${!connected && broker} name="Broker">${connected ? "connected" : broker || "connecting"}</${Chip}>`}
    ${delay !== null && html`<${Chip} good=${delay < 2} name="Delay">${delay.toFixed(1)} s</${Chip}>`}
    ${dropped > 0 && html`<${Chip} bad name="Lost">${dropped.toFixed(1)} s of audio: this machine is too slow</${Chip}>`}
    ${history && html`<${Chip} bad name="History">${history}</${Chip}>`}
  </div>`;
}

/** Pauses listening, and goes on. */
function Pause({ facts }) {
  const [failed, setFailed] = useState("");
  const set = (key, value) => api("settings", { method: "POST", body: { key, value } }).then(() => setFailed(""), (error) => setFailed(error.message));
  const off = !facts.listening || facts.paused_until !== null;
  const goOn = () => (facts.listening ? set("pause_s", 0) : set("listening", true));
  return html`<span class="pause">${off
    ? html`<button onClick=${goOn}>Listen again</button>`
    : html`<select aria-label="Pause listening" onChange=${(e) => { if (e.target.value) set("pause_s", Number(e.target.value)); e.target.value = ""; }}>
        <option value="">Pause…</option>${Object.entries(PAUSES).map(([seconds, text]) => html`<option value=${seconds}>for ${text}</option>`)}</select>`}
    ${failed && html`<span class="failed" role="alert">${failed}</span>`}</span>`;
}

function Nodes({ nodes }) {
  if (!nodes?.length) return null;
  return html`<span class="nodes">Other monitors: <ul>${nodes.map((one) => html`<li key=${one.name} class=${one.status}>
    ${one.page ? html`<a href=${one.page} rel="noreferrer">${one.name}</a>` : one.name} ${one.status === "online" ? "" : "(offline)"}</li>`)}</ul></span>`;
}

function Frame() {
  const [view, setView] = useState(viewOf());
  const [, again] = useState(0);
  const [said, say] = useState("");
  const [theme, keepTheme] = useState(localStorage.getItem("theme") ?? "");
  useEffect(() => {
    const moved = () => setView(viewOf());
    const changed = () => again((n) => n + 1);
    const alerted = ({ detail }) => detail && say(`${words(detail.label)} ${detail.type === "start" ? "started" : "ended"}`);
    addEventListener("hashchange", moved);
    for (const kind of ["state", "status", "hello"]) live.addEventListener(kind, changed);
    live.addEventListener("alerts", alerted);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => dispatchEvent(new Event("themechange")));
    live.start();
    return () => removeEventListener("hashchange", moved);
  }, []);
  useEffect(() => {
    localStorage.setItem("theme", theme);
    setTheme(theme);
  }, [theme]);
  useEffect(() => {
    document.title = `${live.facts?.node ?? "sound-monitor"} · ${VIEWS[view][0]}`;
  }, [view, live.facts]);
  const View = VIEWS[view][1];
  const following = { "": "dark", dark: "light", light: "" }[theme];
  return html`
    <a class="skip" href="#main">Skip to content</a>
    <header>
      <h1>${live.facts?.node ?? "sound-monitor"}</h1>
      <nav aria-label="Views">
        ${Object.entries(VIEWS).map(([key, [name]]) => html`<a href="#${key}" aria-current=${key === view ? "page" : undefined}>${name}</a>`)}
      </nav>
      <button class="quiet theme" onClick=${() => keepTheme(following)} aria-label=${`Theme: ${theme || "as the system"}; change`}>
        ${{ "": "◐", dark: "●", light: "○" }[theme]}
      </button>
      ${live.facts?.adjustable && live.state === "open" && html`<${Pause} facts=${live.facts} />`}
      <${Status} state=${live.state} status=${live.status} />
    </header>
    <main id="main" tabindex="-1"><${View} live=${live} key=${view} /></main>
    <footer>${live.facts && html`<span>${live.facts.model} ${live.facts.model_version}, sound-monitor ${live.facts.version}</span>`}
      <${Nodes} nodes=${live.status?.nodes} /><a href="api/openapi.json">API</a></footer>
    <div class="unseen" role="status" aria-live="polite">${said}</div>`;
}

setTheme(localStorage.getItem("theme") ?? "");
const place = document.getElementById("app");
place.replaceChildren();
render(html`<${Frame} />`, place);
