// The player page: hls.js (or the browser's own HLS) on one stream, with its figures on the page and in
// `window.headwater` (plain values: seconds for latency, targetLatency, clockLatency and buffer; ms where named so).
"use strict";

const SOURCE = "index.m3u8";
const TICK_MS = 250;
// The stream may start at any moment: the first tries come quickly, then with pauses.
const RETRY_MS = [1000, 1000, 2000, 3000, 5000];
// Between looks at the multivariant playlist: late tracks come in the first seconds.
const TRACKS_MS = [2000, 2000, 3000, 5000, 10000, 15000];
// The same after the end of the stream.
const ENDED_MS = 3000;
// A second media error within this time is not cured by recoverMediaError.
const MEDIA_ERROR_MS = 5000;
// Before a rendition that failed is tried again.
const PENALTY_MS = 15000;
// From hls.js' word of a jump over a hole to the seek that it is.
const JUMP_MS = 200;
const MAX_ERRORS_KEPT = 20;

const video = document.getElementById("video");
const badge = document.getElementById("badge");
const cover = document.getElementById("cover");
const message = document.getElementById("message");
const hint = document.getElementById("hint");
const unmute = document.getElementById("unmute");
const play = document.getElementById("play");

const figures = {
  name: decodeURIComponent((location.pathname.match(/\/live\/([^/]+)\/?$/) || ["", ""])[1]),
  engine: "",
  state: "connecting", // a key of STATES
  playing: false,
  latency: null,
  targetLatency: null,
  clockLatency: null,
  buffer: 0,
  stalls: 0,
  stalledMs: 0,
  jumps: 0, // over holes in the media
  skipped: 0, // seconds, by start.js since the source was loaded
  dropped: 0,
  frames: 0,
  firstFrameMs: null,
  bandwidth: null,
  level: null,
  levels: [],
  rendition: "", // that is shown
  choice: "auto", // or the name of a rendition
  rungs: [], // renditions of the picture that the server offers now
  withdrawn: [], // those that it did when the source was loaded, and does not now
  ladder: null, // what streams.json says of it
  audioTracks: [],
  reloads: 0,
  errors: [],
};
window.headwater = figures;

let hls = null;
let attempts = 0; // without a picture
let retryTimer = 0;
let tracksTimer = 0;
let tracksLooks = 0;
let tracks = "";
let lastMediaError = -Infinity;
let lastJump = -Infinity; // of hls.js over a hole
let stallBegan = null;
let started = false; // a picture was shown since the source was loaded
let loaded = false; // the multivariant playlist was

const STATES = {
  connecting: ["Connecting", "Connecting…", ""],
  waiting: ["Waiting", "Waiting for the stream", "It starts here by itself as soon as somebody publishes it."],
  away: ["Waiting", "No picture arrives", "The publisher is away. It goes on here by itself."],
  playing: ["Live", "", ""],
  stalled: ["Buffering", "Buffering…", ""],
  paused: ["Paused", "", ""],
  ended: ["Ended", "The stream has ended", "It goes on here when it is published again."],
  reconnecting: ["Reconnecting", "Reconnecting…", ""],
  failed: ["Failed", "", ""],
};

function setState(state, text, more) {
  const [short, long, small] = STATES[state];
  figures.state = state;
  figures.playing = state === "playing";
  badge.dataset.state = state;
  setText(badge, short);
  setText(message, text || long);
  setText(hint, more || small);
  cover.hidden = !(text || long);
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function note(kind, detail, fatal) {
  figures.errors.push({ at: Math.round(performance.now()), kind, detail, fatal });
  if (figures.errors.length > MAX_ERRORS_KEPT) figures.errors.shift();
}

// ---- source ----

function load() {
  clearTimeout(retryTimer);
  retryTimer = 0;
  clearTimeout(tracksTimer);
  endStall();
  started = loaded = false;
  stillFromNow();
  startFromNow();
  tracks = "";
  tracksLooks = 0;
  if (hls) hls.destroy();
  hls = null;
  if (window.Hls && window.Hls.isSupported()) {
    figures.engine = `hls.js ${window.Hls.version}`;
    loadWithHls();
  } else if (video.canPlayType("application/vnd.apple.mpegurl")) {
    figures.engine = "native";
    loadNatively();
  } else if (window.Hls) {
    setState("failed", "This browser cannot play HLS", "It has no Media Source Extensions.");
  } else {
    setState("failed", "hls.js is not built in: run `make setup` where npm is available", `${SOURCE} plays in other players.`);
  }
}

function loadWithHls() {
  hls = new window.Hls({
    lowLatencyMode: true,
    // Target latency is the server's PART-HOLD-BACK; small differences are caught up with by playing up to 5 % faster,
    // which nobody hears. What the start adds to it is another matter: start.js.
    maxLiveSyncPlaybackRate: 1.05,
    backBufferLength: 30,
    // fMP4 is passed through as it is: there is no work for a worker, and none needs a blob: in a content policy.
    enableWorker: false,
    manifestLoadPolicy: {
      default: { maxTimeToFirstByteMs: 20000, maxLoadTimeMs: 30000, timeoutRetry: null, errorRetry: null },
    },
  });
  // Large differences (a page that slept) are caught up with by a jump. Set here because the constructor takes it only
  // together with liveSyncDurationCount, and that would put the server's PART-HOLD-BACK out of force.
  hls.config.liveMaxLatencyDurationCount = 5;
  // A rung that failed or was withdrawn is tried again; hls.js itself never would.
  hls.config.errorPenaltyExpireMs = PENALTY_MS;
  const { Events } = window.Hls;
  hls.on(Events.MANIFEST_LOADED, (_, data) => {
    // What hls.js plays is what later looks are compared with.
    const text = data.networkDetails && data.networkDetails.responseText;
    if (text) tracks = tracksOf(text);
  });
  hls.on(Events.LEVEL_UPDATED, () => {
    updatedAt = performance.now();
  });
  hls.on(Events.MANIFEST_PARSED, () => {
    loaded = true;
    figures.levels = hls.levels.map((level) => ({
      name: renditionOf(level.uri),
      width: level.width,
      height: level.height,
      bitrate: level.bitrate,
      frameRate: level.frameRate,
      codecs: level.attrs.CODECS || "",
    }));
    figures.withdrawn = [];
    drawChoices();
    applyChoice();
    startPlaying();
  });
  hls.on(Events.AUDIO_TRACKS_UPDATED, () => {
    figures.audioTracks = hls.audioTracks.map((track) => track.name);
  });
  hls.on(Events.LEVEL_SWITCHING, (_, data) => forgetParts(hls.levels[data.level]));
  hls.on(Events.LEVEL_SWITCHED, (_, data) => {
    figures.level = data.level;
    figures.rendition = levelNames()[data.level] || "";
    drawChoices();
  });
  hls.on(Events.FRAG_BUFFERED, () => comeNearer(performance.now()));
  hls.on(Events.ERROR, (_, data) => onHlsError(data));
  hls.attachMedia(video);
  hls.loadSource(SOURCE);
  watchTracks();
}

function loadNatively() {
  video.src = SOURCE;
  loaded = true;
  startPlaying();
  watchTracks();
}

function onHlsError(data) {
  note(data.type, data.details, data.fatal);
  const { ErrorDetails, ErrorTypes } = window.Hls;
  if (data.details === ErrorDetails.BUFFER_SEEK_OVER_HOLE || data.details === ErrorDetails.BUFFER_NUDGE_ON_STALL) {
    lastJump = performance.now();
    figures.jumps += 1;
  }
  if (!data.fatal) return;
  const now = performance.now();
  if (data.type === ErrorTypes.MEDIA_ERROR && now - lastMediaError > MEDIA_ERROR_MS) {
    lastMediaError = now;
    hls.recoverMediaError();
    startPlaying();
    return;
  }
  const code = data.response ? data.response.code : 0;
  retry(code === 404 || code === 410 || code === 503 ? "waiting" : "reconnecting");
}

function retry(state) {
  setState(state);
  const pause = RETRY_MS[Math.min(attempts, RETRY_MS.length - 1)];
  attempts += 1;
  clearTimeout(tracksTimer);
  clearTimeout(retryTimer);
  // Some random time on top: after an outage all pages would come back at the same moment.
  retryTimer = setTimeout(reload, pause * (1 + Math.random() / 4));
}

function reload() {
  figures.reloads += 1;
  load();
}

function startPlaying() {
  const promise = video.play();
  if (!promise) return;
  promise.then(
    () => {
      play.hidden = true;
      unmute.hidden = !video.muted;
    },
    (error) => {
      // A new source interrupts play(): that is no refusal.
      if (error.name === "NotAllowedError") play.hidden = false;
    },
  );
}

// ---- late tracks and the end ----

// What makes another set of tracks: the URIs and codecs; measured bit rates may change at any time.
// One line each: "variant URI ATTRIBUTES" or "media ATTRIBUTES".
function tracksOf(text) {
  const kept = [];
  let attributes = "";
  for (const line of text.split("\n").map((one) => one.trim())) {
    if (line.startsWith("#EXT-X-MEDIA:")) kept.push(`media ${attributesOf(line)}`);
    else if (line.startsWith("#EXT-X-STREAM-INF:")) attributes = attributesOf(line);
    else if (line && !line.startsWith("#")) kept.push(`variant ${line} ${attributes}`);
  }
  return kept.sort().join("\n");
}

function attributesOf(line) {
  return (line.match(/(TYPE|URI|CODECS|RESOLUTION|NAME)=("[^"]*"|[^,]*)/g) || []).sort().join();
}

// URIs of the variants of `tracksOf`.
function variantsOf(found) {
  return found.split("\n").filter((line) => line.startsWith("variant ")).map((line) => line.split(" ")[1]);
}

function watchTracks() {
  const pause = figures.state === "ended" ? ENDED_MS : TRACKS_MS[Math.min(tracksLooks, TRACKS_MS.length - 1)];
  tracksLooks += 1;
  clearTimeout(tracksTimer);
  tracksTimer = setTimeout(lookAtTracks, pause);
}

async function lookAtTracks() {
  try {
    const response = await fetch(SOURCE);
    if (response.ok) {
      const found = tracksOf(await response.text());
      if (tracks === "") tracks = found;
      if (figures.state === "ended") {
        if (await isLive(found)) return reload();
      } else if (mustReload(tracks, found)) {
        return reload();
      }
    }
  } catch {
    // The playlist loader of the player sees the same and deals with it.
  }
  watchTracks();
  return undefined;
}

async function isLive(found) {
  const [uri] = variantsOf(found);
  if (!uri) return false;
  const response = await fetch(uri);
  return response.ok && !(await response.text()).includes("#EXT-X-ENDLIST");
}

// ---- what the video element says ----

function onFrame() {
  if (!started) {
    started = true;
    attempts = stuck = 0;
    if (figures.firstFrameMs === null) figures.firstFrameMs = Math.round(performance.now());
  }
}

function onEnded() {
  endStall();
  setState("ended");
  watchTracks();
}

function beginStall() {
  if (!started || stallBegan !== null || video.paused || video.ended) return;
  // A viewer who seeks waits by choice; one whom hls.js takes over a hole does not.
  if (video.seeking && performance.now() - lastJump > JUMP_MS) return;
  stallBegan = performance.now();
  figures.stalls += 1;
  setState("stalled");
}

function endStall() {
  if (stallBegan === null) return;
  figures.stalledMs += Math.round(performance.now() - stallBegan);
  stallBegan = null;
}

video.addEventListener("loadeddata", onFrame);
video.addEventListener("waiting", beginStall);
video.addEventListener("playing", () => {
  endStall();
  setState("playing");
  onMoving(performance.now());
});
video.addEventListener("seeking", () => onSeeking(performance.now()));
video.addEventListener("pause", () => {
  endStall();
  onPause();
  if (started && !video.ended) setState("paused");
});
video.addEventListener("ended", onEnded);
video.addEventListener("volumechange", () => {
  unmute.hidden = !video.muted || !play.hidden;
});
video.addEventListener("error", () => {
  if (hls || !video.error) return; // hls.js reports its own
  note("video", video.error.message || String(video.error.code), true);
  retry("waiting");
});

unmute.addEventListener("click", () => {
  video.muted = false;
  unmute.hidden = true;
});
play.addEventListener("click", () => {
  play.hidden = true;
  startPlaying();
});
document.getElementById("live").addEventListener("click", () => {
  if (hls && hls.liveSyncPosition !== null) video.currentTime = hls.liveSyncPosition;
  else if (video.seekable.length) video.currentTime = video.seekable.end(video.seekable.length - 1);
  startPlaying();
});

function tick() {
  watchPicture();
  comeNearer(performance.now());
  keepChoice();
  read();
  show();
}

document.title = figures.name ? `${figures.name} – Headwater` : "Headwater";
setText(document.getElementById("name"), figures.name);
load();
lookAtLadder();
setInterval(tick, TICK_MS);
