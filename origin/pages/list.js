// The list of live streams: reads streams.json every few seconds and draws it.
"use strict";

const REFRESH_MS = 3000;

const status = document.getElementById("status");
const list = document.getElementById("streams");
const how = document.getElementById("how");
let drawn = "";

function host() {
  return location.hostname.includes(":") ? `[${location.hostname}]` : location.hostname || "localhost";
}

function tellHow() {
  const server = `rtmp://${host()}/live`;
  document.getElementById("server").textContent = server;
  document.getElementById("ffmpeg").textContent =
    `ffmpeg -re -i FILE -c:v libx264 -g 60 -c:a aac -f flv ${server}/NAME`;
  document.getElementById("publish").textContent = `headwater publish ${server}/NAME`;
}

// "1280×720, 2 audio": short, from whatever the server says of each rendition.
function about(stream) {
  const renditions = Array.isArray(stream.renditions) ? stream.renditions : [];
  const sizes = renditions.filter((one) => one && one.width && one.height).map((one) => `${one.width}×${one.height}`);
  const names = renditions.map((one) => (typeof one === "string" ? one : one && one.name)).filter(Boolean);
  const since = age(stream.since);
  const state = stream.state === "starting" ? "starting" : "";
  return [sizes.length ? sizes.join(", ") : names.join(", "), since, state].filter(Boolean).join(" · ");
}

// `since`: Unix seconds or an ISO date.
function age(since) {
  const from = typeof since === "number" ? since * 1000 : Date.parse(since);
  const seconds = Math.round((Date.now() - from) / 1000);
  if (!Number.isFinite(seconds) || seconds < 0) return "";
  if (seconds < 60) return `for ${seconds} s`;
  if (seconds < 3600) return `for ${Math.floor(seconds / 60)} min`;
  return `for ${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

function entry(stream) {
  const item = document.createElement("li");
  const link = document.createElement("a");
  link.href = `live/${encodeURIComponent(stream.name)}/`;
  const name = document.createElement("span");
  name.className = "name";
  name.textContent = stream.name;
  const text = document.createElement("span");
  text.className = "about";
  text.textContent = about(stream);
  link.append(name, text);
  item.append(link);
  return item;
}

function draw(streams) {
  const names = streams.map((stream) => stream.name).join("\n");
  // Links are only replaced when the list itself changed, so that nobody clicks beside one.
  if (names !== drawn || list.children.length !== streams.length) {
    list.replaceChildren(...streams.map(entry));
    drawn = names;
  } else {
    streams.forEach((stream, at) => {
      list.children[at].querySelector(".about").textContent = about(stream);
    });
  }
  const count = streams.length;
  const text = count === 0 ? "No stream is live." : count === 1 ? "1 stream is live." : `${count} streams are live.`;
  if (status.textContent !== text) status.textContent = text;
  how.hidden = count !== 0;
}

async function refresh() {
  try {
    const response = await fetch("streams.json", { cache: "no-store" });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const found = await response.json();
    draw(Array.isArray(found.streams) ? found.streams : []);
  } catch (error) {
    status.textContent = `The server does not answer (${error.message}); trying again.`;
  }
  setTimeout(refresh, REFRESH_MS);
}

tellHow();
refresh();
