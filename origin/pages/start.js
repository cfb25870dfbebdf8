// The start: hls.js chooses its place when it has the playlist, and what passes until the first picture is shown, a
// second or more, puts the page as much further behind live. Playing 5 % faster makes up for that in half a minute. So the
// place is chosen again: before there is a picture, which nobody sees, and at most once when it plays, if it is late still.
// The distance is hls.js' own (PART-HOLD-BACK, with the reserve of a stream that came over SRT; a second more per stall).
// Works on the state of player.js (`hls`, `video`, `figures`, `started`, `lastJump`).
"use strict";

// From the first moving picture on; what comes later is left to the playback rate.
const START_MS = 3000;
// Of a part: later than that another place is chosen. A jump that can be seen must be worth it.
const UNSEEN_PARTS = 0.25;
const SEEN_PARTS = 1;
// Between where we sought and where the element says that it seeks.
const SAME_S = 0.1;

let placed = false; // chosen again before the first picture
let beganAt = null; // when the picture moved first
let settled = false; // no more jumps
let jumpedTo = null; // by us: other seeks are the viewer's

// A source was just loaded.
function startFromNow() {
  placed = settled = false;
  beganAt = jumpedTo = null;
  figures.skipped = 0;
}

// Looked at when media was appended and at each tick. A viewer who paused or sought has chosen the place.
function comeNearer(now) {
  const details = hls && hls.latestLevelDetails;
  if (settled || video.paused || !details || !details.live || !details.partTarget) return;
  const place = { time: video.currentTime, live: hls.liveSyncPosition, part: details.partTarget };
  if (!started) {
    // hls.js has sought its own place by then.
    if (placed || !hls.hasEnoughToStart) return;
    placed = true;
    if (window.playable.isLate(place, UNSEEN_PARTS) && window.playable.isListed(details, place.live)) jump(place);
    return;
  }
  if (beganAt === null || video.seeking) return;
  if (now - beganAt > START_MS) settled = true;
  else if (window.playable.isLate(place, SEEN_PARTS) && isReady(place)) {
    settled = true;
    jump(place);
  }
}

// All that is listed is there, but for the newest part: a network that is slower than that needs what is buffered.
function isReady({ live, part }) {
  return window.playable.ahead(video.buffered, live) >= hls.targetLatency - part;
}

function jump({ time, live }) {
  figures.skipped += live - time;
  jumpedTo = live;
  video.currentTime = live;
}

// ---- what the video element says ----

function onMoving(now) {
  if (beganAt === null) beganAt = now;
  comeNearer(now);
}

function onPause() {
  if (beganAt !== null) settled = true;
}

// A jump of hls.js over a hole is no choice of the viewer's, as little as ours.
function onSeeking(now) {
  const ours = jumpedTo !== null && Math.abs(video.currentTime - jumpedTo) < SAME_S;
  if (started && !ours && now - lastJump > JUMP_MS) settled = true;
}
