// What all views share: markup, requests, words and figures.
import { html, useEffect, useRef, useState } from "./preact-htm.js";
export { html, useEffect, useRef, useState };
export { render, useCallback, useMemo } from "./preact-htm.js";

/** Ask the API; throws an Error whose message is one line for people. */
export async function api(path, options = {}) {
  let answer;
  try {
    answer = await fetch(`api/${path}`, {
      method: options.method ?? "GET",
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
      headers: options.body === undefined ? {} : { "Content-Type": "application/json" },
      signal: options.signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The monitor does not answer.");
  }
  if (answer.status === 401) location.reload();
  const found = await answer.json().catch((error) => {
    if (error.name === "AbortError") throw error;
    throw new Error(`The monitor answered ${answer.status}.`);
  });
  if (!answer.ok) throw new Error(found.error);
  return found;
}

/** Load something when `keys` change, after a failure also when the monitor is back: {data, error, loading, again}. */
export function useLoad(load, keys) {
  const [state, setState] = useState({ loading: true });
  const [round, setRound] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    setState((before) => ({ ...before, loading: true }));
    load(stop.signal).then(
      (data) => stop.signal.aborted || setState({ data }),
      (error) => stop.signal.aborted || setState({ error: error.message }),
    );
    return () => stop.abort();
  }, [...keys, round]);
  const again = () => setRound((n) => n + 1);
  useEffect(() => {
    if (!state.error) return undefined;
    addEventListener("reconnected", again);
    return () => removeEventListener("reconnected", again);
  }, [state.error]);
  return { ...state, again };
}

export const words = (label) => label.replaceAll("_", " ");
export const percent = (share) => `${Math.round(100 * share)} %`;
export const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
export const score = (value) => value.toFixed(2);

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short" });
export const timeOf = (date) => clock.format(date);
export const dayOf = (date) => day.format(date);
export const decibels = (value, digits = 1) => value.toFixed(digits).replace("-", "−");
const parts = { day: "numeric", month: "short", hour: "numeric", minute: "2-digit" };
const dated = (more) => [more, { ...more, year: "numeric" }].map((one) => new Intl.DateTimeFormat(undefined, { ...parts, ...one }));
const minutes = dated({});
const moments = dated({ second: "2-digit" });
const isOtherYear = (date) => Number(date.getFullYear() !== new Date().getFullYear());
/** Date and time, to the minute or the second; with the year if it is not this one. */
export const minuteOf = (date) => minutes[isOtherYear(date)].format(date);
export const momentOf = (date) => moments[isOtherYear(date)].format(date);

/** How the microphone is; a pause ends at a time of this place. */
export function heard(microphone, reason) {
  const until = /^paused until (.*)$/.exec(reason ?? "");
  if (until) return `paused until ${minuteOf(new Date(until[1]))}`;
  return reason && microphone !== "off" ? `${microphone}: ${reason}` : (reason ?? microphone);
}

/** "3.4 s", "2 min 10 s", "1 h 5 min". */
export function lasted(seconds) {
  if (seconds === null || seconds === undefined) return "still on";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Bytes of a base64 text. */
export function bytes(text) {
  const raw = atob(text);
  const found = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) found[i] = raw.charCodeAt(i);
  return found;
}

/** Whether the page is dark now; follows the button and the system. */
export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
export const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** The 256 colours of log-mel values as RGB triples: paper to deep teal, or night to warm light. */
export function colours(dark) {
  const stops = dark
    ? [[16, 21, 25], [18, 60, 70], [24, 122, 118], [150, 190, 120], [255, 244, 200]]
    : [[250, 249, 246], [205, 226, 222], [98, 170, 164], [16, 92, 98], [20, 28, 48]];
  const table = new Uint8Array(768);
  for (let i = 0; i < 256; i++) {
    const at = (i / 255) * (stops.length - 1);
    const low = Math.min(Math.floor(at), stops.length - 2);
    for (let c = 0; c < 3; c++) table[3 * i + c] = stops[low][c] + (at - low) * (stops[low + 1][c] - stops[low][c]);
  }
  return table;
}

/** Draw rows of log-mel values as columns of an image, low bands at the bottom. */
export function paint(context, x, rows, bands, table) {
  const frames = rows.length / bands;
  const image = context.createImageData(frames, bands);
  for (let frame = 0; frame < frames; frame++) {
    for (let band = 0; band < bands; band++) {
      const value = 3 * rows[frame * bands + band];
      const at = 4 * ((bands - 1 - band) * frames + frame);
      image.data[at] = table[value];
      image.data[at + 1] = table[value + 1];
      image.data[at + 2] = table[value + 2];
      image.data[at + 3] = 255;
    }
  }
  context.putImageData(image, x, 0);
}

/** A canvas as sharp as the screen; `draw(context, width, height)` in CSS pixels, again when the size changes. */
export function Canvas({ draw, label, className, ...rest }) {
  const ref = useRef();
  useEffect(() => {
    const canvas = ref.current;
    const again = () => {
      const ratio = devicePixelRatio || 1;
      const { width, height } = canvas.getBoundingClientRect();
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      const context = canvas.getContext("2d");
      context.scale(ratio, ratio);
      draw(context, width, height);
    };
    again();
    const observer = new ResizeObserver(again);
    observer.observe(canvas);
    addEventListener("themechange", again);
    return () => {
      observer.disconnect();
      removeEventListener("themechange", again);
    };
  }, [draw]);
  return html`<canvas ref=${ref} class=${className} role="img" aria-label=${label} ...${rest}></canvas>`;
}

/** The frequency axis of a spectrogram, over its left edge. */
export function drawPitches(context, pitches, top, height) {
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  context.lineWidth = 3;
  context.strokeStyle = ink("card");
  context.fillStyle = ink("ink");
  for (const [name, share] of Object.entries(pitches ?? {})) {
    const y = top + (1 - share) * height;
    context.globalAlpha = 0.85;
    context.strokeText(name, 4, y);
    context.globalAlpha = 1;
    context.fillText(name, 4, y);
  }
  context.textBaseline = "alphabetic";
  context.lineWidth = 1;
}

/** What a view shows instead of data. */
export function Notice({ title, children, again }) {
  return html`<div class="notice">
    <p class="notice-title">${title}</p>
    ${children && html`<p>${children}</p>`}
    ${again && html`<button onClick=${again}>Try again</button>`}
  </div>`;
}

/** A colour of a class: the same everywhere, apart in hue from its neighbours. */
export function hue(labels, label) {
  const index = Math.max(0, labels.indexOf(label));
  return `hsl(${(index * 137.5 + 175) % 360} ${isDark() ? "48% 62%" : "52% 38%"})`;
}
