// A picture that stands still: what is waited for, what is jumped over, and when the source is loaded again.
// Works on the state of player.js (`hls`, `video`, `figures`, `loaded`, `retryTimer`).
"use strict";

// Over a hole with media behind it we seek after HOLE_MS, to the live edge after LIVE_MS;
// without either the source is loaded again after STUCK_MS, and then after twice, four times as long.
const HOLE_MS = 1000;
const LIVE_MS = 3000;
const STUCK_MS = 8000;
const STUCK_TIMES = 4;
// Less than this ahead is nothing: browsers stop before the very end of a range.
const NOTHING_S = 0.15;
const SEEK_PADDING_S = 0.05;
// Most that a picture moves between two looks; browsers slow the timers of hidden pages down to one a second.
const MOST_MOVED_S = 1.5;

let lastTime = 0; // of the video element
let movedAt = 0; // when that changed
let aliveAt = 0; // when it changed, or had a good reason not to
let soughtAt = -Infinity;
let updatedAt = -Infinity; // of the media playlist
let stuck = 0; // times the source was loaded again because nothing played
let asking = false; // whether the stream answers

// A source was just loaded.
function stillFromNow() {
  movedAt = aliveAt = performance.now();
  updatedAt = soughtAt = -Infinity;
}

function watchPicture() {
  const now = performance.now();
  const moved = video.currentTime - lastTime;
  if (moved !== 0) {
    lastTime = video.currentTime;
    movedAt = now;
    // A longer way is a seek, of hls.js or ours: the picture need not have moved.
    if (moved > 0 && moved < MOST_MOVED_S) aliveAt = now;
    return;
  }
  // A pause, a retry that is on its way, and a server that holds the first request have their own ends.
  if (video.paused || retryTimer || !loaded) {
    movedAt = aliveAt = now;
    return;
  }
  const details = hls && hls.latestLevelDetails;
  if (details && !details.live && isLast(details)) return watchEnd(now);
  const media = details && window.playable.mediaAtEnd(details);
  const fresh = now - updatedAt < STUCK_MS;
  if (details && !media && fresh && bufferAhead() < NOTHING_S) {
    aliveAt = now;
    if (figures.state !== "away" && now - movedAt >= HOLE_MS) setState("away");
    return;
  }
  if (figures.state === "away") setState(started ? "stalled" : "connecting");
  if (hls && started && now - soughtAt >= LIVE_MS && bufferAhead() < NOTHING_S) skip(media, now);
  if (now - aliveAt >= STUCK_MS * Math.min(2 ** stuck, STUCK_TIMES)) askThenReload(now);
}

// hls.js does not leave a hole by itself when its own clock of the playlist differs from the media's, and waits
// for five target durations before it seeks to the live edge.
function skip(media, now) {
  const next = window.playable.nextStart(video.buffered, video.currentTime);
  const live = media && hls.liveSyncPosition !== null ? Math.max(media.start, hls.liveSyncPosition) : null;
  let target = null;
  if (next !== null && now - movedAt >= HOLE_MS) target = live === null ? next : Math.max(next, live);
  else if (live !== null && now - movedAt >= LIVE_MS && live < media.end) target = live;
  if (target === null || target <= video.currentTime) return;
  soughtAt = lastJump = now;
  figures.jumps += 1;
  video.currentTime = target + SEEK_PADDING_S;
}

function isLast(details) {
  const left = window.playable.lastMedia(details) - video.currentTime;
  return left < details.targetduration && bufferAhead() < NOTHING_S;
}

// Without `ended` from the element: sound and picture do not end together, and a stream may end in GAP.
function watchEnd(now) {
  if (figures.state !== "ended" && now - movedAt >= HOLE_MS) onEnded();
}

async function askThenReload(now) {
  if (asking) return;
  asking = true;
  aliveAt = now;
  try {
    const response = await fetch(SOURCE, { cache: "no-store" });
    if (response.ok && !retryTimer) {
      stuck += 1;
      note("page", "stuck", true);
      setState("reconnecting");
      reload();
    }
  } catch {
    // Nobody answers: asked again later.
  } finally {
    asking = false;
  }
}
