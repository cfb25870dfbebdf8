// What of a stream can be played now: pure functions of a playlist as hls.js keeps it (`LevelDetails`) and of the
// ranges of a video element. Times are seconds on the element's timeline.
"use strict";

window.playable = {
  // The media between the last GAP and the end of the playlist, or null when the playlist ends in GAP.
  mediaAtEnd(details) {
    const parts = details.partList || [];
    const pieces = parts.length ? parts : details.fragments;
    let first = pieces.length;
    while (first > 0 && !pieces[first - 1].gap) first -= 1;
    if (first === pieces.length) return null;
    return { start: pieces[first].start, end: pieces[pieces.length - 1].end };
  },

  // Where the last media ends, GAP behind it or not.
  lastMedia(details) {
    const last = details.fragments.filter((fragment) => !fragment.gap).pop();
    return last ? last.end : details.edge;
  },

  // Seconds buffered without a hole from `time` on.
  ahead(buffered, time) {
    for (let at = 0; at < buffered.length; at += 1) {
      if (buffered.start(at) <= time + 0.1 && time < buffered.end(at)) return buffered.end(at) - time;
    }
    return 0;
  },

  // Start of the first range behind `time` that is not the one at `time`, or null.
  nextStart(buffered, time) {
    for (let at = 0; at < buffered.length; at += 1) {
      if (buffered.start(at) > time + 0.1) return buffered.start(at);
    }
    return null;
  },

  // Whether `time` is more than so many parts behind the place that is `live` as a player may be.
  isLate({ time, live, part }, parts) {
    return live !== null && live - time > parts * part;
  },

  // Whether there is media at `time` and none missing from there on.
  isListed(details, time) {
    const media = this.mediaAtEnd(details);
    return media !== null && media.start <= time && time < media.end;
  },
};
