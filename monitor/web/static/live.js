// The live connection: one WebSocket, opened again with growing pauses; keeps what the views show.

const FIRST_MS = 500;
const LONGEST_MS = 10_000;
const SILENT_MS = 6_000; // the monitor tells how it is every two seconds
const NEAR_KEPT = 40;
const ALERTS_KEPT = 30;

export class Live extends EventTarget {
  state = "connecting"; // connecting, open, lost
  facts = null;
  status = null;
  hop = null;
  arrived = 0; // performance.now() of the newest hop
  near = []; // episodes, newest first
  alerts = []; // records, newest first
  marked = null; // what is marked in the picture: {from_s, to_s} on the stream's clock
  #pause = FIRST_MS;
  #watch = null;

  start() {
    const socket = new WebSocket(new URL("api/live", location.href.replace(/^http/, "ws")));
    const heard = () => {
      clearTimeout(this.#watch);
      this.#watch = setTimeout(() => socket.close(), SILENT_MS);
    };
    heard();
    socket.onmessage = (event) => {
      heard();
      this.#take(JSON.parse(event.data));
    };
    socket.onclose = () => {
      clearTimeout(this.#watch);
      this.#to("lost");
      setTimeout(() => this.start(), this.#pause);
      this.#pause = Math.min(2 * this.#pause, LONGEST_MS);
    };
  }

  /** UTC seconds of a time on the stream's clock. */
  utc(time_s) {
    return this.hop.utc - this.hop.time_s + time_s;
  }

  mark(marked) {
    this.marked = marked;
    this.#tell("alerts", null);
  }

  #to(state) {
    if (this.state !== state) {
      this.state = state;
      this.#tell("state");
    }
  }

  #tell(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }

  #take(message) {
    if (message.type === "hello") this.#hello(message);
    else if (message.type === "near") {
      this.#came(message.near, message.near.utc);
      this.#tell("alerts", null);
    } else if (message.type === "status") {
      this.status = message;
      this.#tell("status");
    } else if (message.type === "hop") {
      this.hop = message;
      this.arrived = performance.now();
      for (const near of message.near) this.#came(near, message.utc);
      this.#tell("hop", message);
    } else if (message.type === "facts") {
      this.facts = message.facts;
      this.#tell("hello");
    } else if (message.type === "event") this.#event(message.record);
  }

  #hello(message) {
    this.#pause = FIRST_MS;
    this.facts = message.facts;
    this.near = [];
    for (const near of message.near) this.#came(near, near.utc);
    for (const record of message.open) this.#event(record, true);
    this.#to("open");
    this.#tell("hello");
    dispatchEvent(new Event("reconnected"));
  }

  #event(record, quiet = false) {
    this.alerts = [record, ...this.alerts.filter((one) => one.event_id !== record.event_id)].slice(0, ALERTS_KEPT);
    // What was not held yet, and then was, is no miss.
    if (record.type === "start") this.near = this.near.filter((one) => one.label !== record.label || one.closed);
    this.#tell("alerts", quiet ? null : record);
  }

  /** Hops one after the other make one episode of a class. */
  #came(near, utc) {
    const gap = 2.5 * (this.facts?.hop_s ?? 0.5);
    // An event without a notice is no part of what came before it.
    const alone = near.text.startsWith("no notice");
    const last = this.near.find((one) => one.label === near.label);
    if (last && !last.closed && !alone && utc - last.until <= gap) {
      last.until = utc;
      if (near.score >= last.score) Object.assign(last, { score: near.score, reason: near.reason, text: near.text });
      return;
    }
    if (last) last.closed = true;
    this.near = [{ ...near, closed: alone, since: utc, until: utc, key: `${near.label} ${utc}` }, ...this.near].slice(0, NEAR_KEPT);
  }
}
