// The figures of player.js: read from the video element and hls.js, shown on the page.
"use strict";

function bufferAhead() {
  return window.playable.ahead(video.buffered, video.currentTime);
}

function read() {
  figures.buffer = bufferAhead();
  const quality = video.getVideoPlaybackQuality ? video.getVideoPlaybackQuality() : null;
  if (quality) {
    figures.dropped = quality.droppedVideoFrames;
    figures.frames = quality.totalVideoFrames;
  }
  let date = null;
  if (hls) {
    figures.latency = started ? hls.latency : null;
    figures.targetLatency = hls.targetLatency;
    figures.bandwidth = Number.isFinite(hls.bandwidthEstimate) ? Math.round(hls.bandwidthEstimate) : null;
    date = hls.playingDate;
  } else if (started && video.seekable.length) {
    figures.latency = Math.max(0, video.seekable.end(video.seekable.length - 1) - video.currentTime);
    if (video.getStartDate) date = new Date(video.getStartDate().getTime() + video.currentTime * 1000);
  }
  figures.clockLatency = date && started ? (Date.now() - date.getTime()) / 1000 : null;
}

function seconds(value) {
  return value === null || !Number.isFinite(value) ? "–" : `${value.toFixed(2)} s`;
}

function bits(value) {
  if (!value) return "–";
  return value >= 1e6 ? `${(value / 1e6).toFixed(1)} Mbit/s` : `${Math.round(value / 1e3)} kbit/s`;
}

function show() {
  const level = figures.levels[figures.level === null ? 0 : figures.level];
  const size = video.videoWidth ? `${video.videoWidth}×${video.videoHeight}` : "–";
  const stalled = figures.stalledMs + (stallBegan === null ? 0 : performance.now() - stallBegan);
  const texts = {
    latency: seconds(figures.latency),
    targetLatency: seconds(figures.targetLatency),
    clockLatency: seconds(figures.clockLatency),
    buffer: seconds(figures.buffer),
    picture: level && level.frameRate && video.videoWidth ? `${size}, ${level.frameRate} fps` : size,
    rendition: figures.rendition || "–",
    offered: figures.rungs.join(", ") || "–",
    ladder: ladderText(),
    speed: speedText(),
    codecs: (level && level.codecs.split(",").join(", ")) || "–",
    bitrate: bits(level && level.bitrate),
    bandwidth: bits(figures.bandwidth),
    dropped: figures.frames ? `${figures.dropped} of ${figures.frames}` : "–",
    stalls: figures.stalls ? `${figures.stalls} (${(stalled / 1000).toFixed(1)} s)` : "0",
    firstFrame: figures.firstFrameMs === null ? "–" : `${(figures.firstFrameMs / 1000).toFixed(2)} s`,
    state: [figures.state, figures.engine].filter(Boolean).join(", "),
  };
  for (const cell of document.querySelectorAll("[data-figure]")) setText(cell, texts[cell.dataset.figure]);
}
