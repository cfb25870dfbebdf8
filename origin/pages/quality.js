// Which rendition is shown: the viewer's choice, what is offered, and what the server has given up to keep up.
// Works on the state of player.js (`hls`, `video`, `figures`).
"use strict";

const AUTO = "auto";
const LISTING = "../../streams.json";
const LISTING_MS = 10000;
// A stream without a ladder may get one when it is published again.
const NO_LADDER_MS = 60000;

const quality = document.getElementById("quality");
const reduced = document.getElementById("reduced");

let leftAt = null; // when hls.js was first seen to have left the viewer's choice

// `…/720p/index.m3u8` -> `720p`.
function renditionOf(uri) {
  const found = /([^/?]+)\/[^/?]*(?:\?.*)?$/.exec(uri || "");
  return found ? decodeURIComponent(found[1]) : "";
}

function levelNames() {
  return figures.levels.map((level) => level.name);
}

// "720p", "source (1920×1080)": a rung's name says its height already.
function label(level) {
  if (/^\d/.test(level.name) || !level.width) return level.name || `${level.width}×${level.height}`;
  return `${level.name} (${level.width}×${level.height})`;
}

// The choices, the best first. Called when hls.js knows its levels, and when the server offers others.
function drawChoices() {
  const names = [...new Set(levelNames())].reverse();
  figures.rungs = names.filter((name) => !figures.withdrawn.includes(name));
  const choices = [AUTO, ...names];
  if (!choices.includes(figures.choice)) choices.push(figures.choice);
  if (choices.join() !== [...quality.options].map((option) => option.value).join()) {
    quality.replaceChildren(
      ...choices.map((name) => {
        const option = document.createElement("option");
        option.value = name;
        return option;
      }),
    );
  }
  for (const option of quality.options) {
    const level = figures.levels.find((one) => one.name === option.value);
    const gone = option.value !== AUTO && !figures.rungs.includes(option.value);
    setText(option, option.value === AUTO ? autoText() : label(level || { name: option.value }) + (gone ? " (not now)" : ""));
    option.disabled = gone;
  }
  quality.value = figures.choice;
  quality.disabled = names.length < 2;
}

function autoText() {
  return figures.choice === AUTO && figures.rendition ? `Auto (${figures.rendition})` : "Auto";
}

// hls.js starts with `auto`, also after each reload of the source, and goes back to it when a level fails: what the
// viewer chose is set again as soon as the server offers it, and some time after it failed.
function applyChoice() {
  if (!hls) return;
  // -1 is auto: what was chosen is not there, as long as an encoder that came back has no ladder yet.
  const at = figures.rungs.includes(figures.choice) ? levelNames().lastIndexOf(figures.choice) : -1;
  leftAt = null;
  // What is buffered is played: `nextLevel` would throw it away.
  if (hls.manualLevel !== at) hls.loadLevel = at;
}

function keepChoice() {
  if (!hls || hls.manualLevel !== -1 || !figures.rungs.includes(figures.choice)) leftAt = null;
  else if (leftAt === null) leftAt = performance.now();
  else if (performance.now() - leftAt > PENALTY_MS) applyChoice();
}

// hls.js 1.7 takes the parts of a level that it loaded once for loaded, though another level's took their place in the
// buffer since. Coming back within a segment it would begin in the middle of it, without a keyframe: a hole.
function forgetParts(level) {
  const parts = (level.details && level.details.partList) || [];
  for (const part of parts) part.clearElementaryStreamInfo();
}

function choose(name) {
  figures.choice = name;
  drawChoices();
  applyChoice();
}

quality.addEventListener("change", () => choose(quality.value));

// ---- the ladder, as the server tells it ----

const LADDER_STATES = {
  starting: "starting",
  recovering: "coming back",
  paused: "paused, the source only",
  refused: "not made, the server has no room",
};

// What streams.json says of this stream's ladder: { state, level, reduced, speed, lag_s } or null.
function drawLadder(ladder) {
  figures.ladder = ladder;
  const what = (ladder && ladder.level && ladder.reduced) || "";
  setText(reduced, what ? `Quality is reduced: ${what}. The server has too much to do; it comes back by itself.` : "");
  reduced.hidden = !what;
}

function ladderText() {
  const { ladder } = figures;
  if (!ladder) return "none";
  return LADDER_STATES[ladder.state] || (ladder.level ? ladder.reduced || "reduced" : "full quality");
}

function speedText() {
  const speed = figures.ladder && figures.ladder.speed;
  return Number.isFinite(speed) && speed > 0 ? `${speed.toFixed(2)}× real time` : "–";
}

async function lookAtLadder() {
  let pause = LISTING_MS;
  if (!document.hidden) {
    try {
      const response = await fetch(LISTING);
      if (response.ok) {
        const { streams } = await response.json();
        const stream = streams.find((one) => one.name === figures.name);
        drawLadder((stream && stream.ladder) || null);
        if (stream && !stream.ladder) pause = NO_LADDER_MS;
      }
    } catch {
      // Asked again later; the picture does not depend on it.
    }
  }
  // Some random time on top: the pages of one stream do not ask together.
  setTimeout(lookAtLadder, pause * (1 + Math.random() / 4));
}

// ---- what the server offers now ----

// A rung that left the multivariant playlist (an overloaded server sheds it) goes on in GAP: hls.js leaves it by
// itself and may come back. What changed about a rendition that does not play is read when it does. So nothing is
// loaded again, unless there is something new, sound is gone, or what plays has changed or is gone for good.
function mustReload(known, found) {
  const before = new Set(known.split("\n"));
  const now = new Set(found.split("\n"));
  const offered = new Set(variantsOf(found));
  const playing = hls && hls.levels[hls.loadLevel];
  const name = playing ? renditionOf(playing.uri) : "";
  const were = new Set(variantsOf(known));
  const harmless = (line) => {
    const uri = line.startsWith("variant ") && line.split(" ")[1];
    return uri && were.has(uri) && name && renditionOf(uri) !== name;
  };
  if ([...now].some((line) => !before.has(line) && !harmless(line))) return true;
  if ([...before].some((line) => line.startsWith("media ") && line.includes("TYPE=AUDIO") && !now.has(line))) return true;
  figures.withdrawn = [...new Set([...were].filter((uri) => !offered.has(uri)).map(renditionOf))];
  drawChoices();
  if (figures.choice !== AUTO) applyChoice();
  const ended = playing && playing.details && !playing.details.live;
  return Boolean(ended && figures.withdrawn.includes(name));
}
