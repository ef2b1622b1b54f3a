// What the server tells, kept once for all parts of the page; Vue shows what changes.
const { shallowReactive } = Vue;

export const lab = shallowReactive({
  jobs: [], // newest first
  most: Infinity, // how many of them are kept
  results: [], // completed pictures, those that ended last
  link: { state: "starting", text: "" },
  health: null,
  faults: null,
  queues: null,
  workers: null,
  letters: null,
  now: Date.now() / 1000,
});

export const STATUSES = ["pending", "queued", "processing", "retrying", "completed", "failed"];
export const STAGES = ["accept", "queue", "fetch", "process", "store", "finish"];
export const STAGE_WORDS = {
  accept: "accept",
  queue: "queue wait",
  fetch: "fetch",
  process: "process",
  store: "store",
  finish: "finish",
};

const RESULTS = 12;
const known = new Map();
let ahead = 0; // how far this computer's clock is ahead of the server's, seconds

export function take(patch) {
  if (patch.whole) known.clear();
  lab.most = patch.most;
  lab.results = results(patch);
  for (const job of patch.jobs) known.set(job.id, job);
  if (patch.whole || patch.jobs.length) {
    // board.py has the same order: else one side would keep a job that the other has let go.
    const jobs = [...known.values()].sort((a, b) => b.at - a.at || (a.id < b.id ? 1 : -1));
    for (const job of jobs.splice(patch.most)) known.delete(job.id);
    lab.jobs = jobs;
  }
  for (const part of ["link", "health", "faults", "queues", "workers", "letters"])
    if (part in patch) lab[part] = patch[part];
  if (patch.now) ahead = Date.now() / 1000 - patch.now;
}

// In a burst, what is completed may be older than all jobs of the list; here it is seen all the same.
function results(patch) {
  if (!patch.whole && !patch.jobs.length) return lab.results;
  const told = new Set(patch.jobs.map((job) => job.id));
  const before = patch.whole ? [] : lab.results.filter((job) => !told.has(job.id));
  return [...before, ...patch.jobs.filter((job) => job.kind === "image" && job.status === "completed")]
    .sort((a, b) => b.end - a.end)
    .slice(0, RESULTS);
}

export const job = (id) => known.get(id);

setInterval(() => (lab.now = Date.now() / 1000 - ahead), 1000);

// Milliseconds as people say them: 40 ms, 2.1 s, 3:05 min.
export function span(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const whole = Math.round(ms / 1000);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")} min`;
}

export const clock = (seconds) =>
  seconds ? new Date(seconds * 1000).toLocaleTimeString([], { hourCycle: "h23" }) : "";

export const bytes = (count) =>
  count < 1000 ? `${count} B` : count < 1e6 ? `${(count / 1000).toFixed(0)} kB` : `${(count / 1e6).toFixed(1)} MB`;

// A file of a job; a replay may have made another one under the same name.
export const file = (job, name) => `/files/${job.id}/${name}?g=${job.generation}`;

// How long a job has taken so far, or took; a replay is timed from when it was sent again.
export const total = (job) => Math.max(0, ((job.end ?? lab.now) - job.begun) * 1000);

// The bar of a job: its stages, and the one under way, each with its share of the whole.
export function bar(job) {
  const parts = job.stages.map(([name, ms]) => ({ name, ms, going: false }));
  if (job.now && job.since)
    parts.push({ name: job.now, ms: Math.max(0, (lab.now - job.since) * 1000), going: true });
  const whole = parts.reduce((sum, part) => sum + part.ms, 0) || 1;
  return parts.map((part) => ({ ...part, share: part.ms / whole }));
}

export const told = (job) =>
  bar(job)
    .map((part) => `${STAGE_WORDS[part.name]} ${span(part.ms)}${part.going ? " so far" : ""}`)
    .join(", ");

// Ask the dashboard's own server; what it refuses comes as an error in the API's words.
export async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("The dashboard does not answer. It is asked again when it is back.");
  }
  const body = await response.json().catch(() => ({}));
  if (response.ok) return body;
  const { message = `The answer was ${response.status}.`, hint = "" } = body.error ?? {};
  const error = new Error([/[.!?]$/.test(message) ? message : `${message}.`, hint].filter(Boolean).join(" "));
  error.status = response.status;
  error.code = body.error?.code;
  throw error;
}
