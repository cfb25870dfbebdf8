// The list of live streams: reads streams.json every few seconds and draws it.
"use strict";

const REFRESH_MS = 3000;
// Thumbnails change every few seconds.
const PICTURE_MS = 5000;

const status = document.getElementById("status");
const list = document.getElementById("streams");
const how = document.getElementById("how");
let drawn = "";
const visible = new Set(); // frames of the entries that are on the screen
const watcher = window.IntersectionObserver && new IntersectionObserver(onSeen, { rootMargin: "200px" });

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
  item.dataset.name = stream.name;
  const link = document.createElement("a");
  link.href = `live/${encodeURIComponent(stream.name)}/`;
  const name = document.createElement("span");
  name.className = "name";
  name.textContent = stream.name;
  const text = document.createElement("span");
  text.className = "about";
  text.textContent = about(stream);
  link.append(frame(stream), name, text);
  item.append(link);
  return item;
}

// ---- thumbnails ----

// A canvas of a fixed size, so that nothing moves when its picture comes, changes or is missing; the stream's initial
// stands there meanwhile. The address is the same for every viewer, so caches answer.
function frame(stream) {
  const box = document.createElement("span");
  box.className = "thumb";
  box.dataset.initial = stream.name.slice(0, 1).toUpperCase();
  const canvas = document.createElement("canvas");
  canvas.setAttribute("aria-hidden", "true");
  box.append(canvas);
  if (typeof stream.thumbnail === "string") box.dataset.source = stream.thumbnail;
  if (watcher) watcher.observe(box);
  else visible.add(box);
  return box;
}

function onSeen(entries) {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) {
      visible.add(target);
      showPicture(target);
    } else {
      visible.delete(target);
    }
  }
}

function showPictures() {
  for (const box of visible) {
    if (!box.isConnected) visible.delete(box);
    else if (!document.hidden) showPicture(box);
  }
}

// Draws the newest picture; what was drawn stays when the server has none just now, and goes when the stream does.
async function showPicture(box) {
  const { source } = box.dataset;
  if (!source || box.dataset.busy) return;
  box.dataset.busy = "1";
  try {
    const response = await fetch(source, { cache: "no-cache" });
    if (response.ok) {
      const picture = await createImageBitmap(await response.blob());
      const canvas = box.firstElementChild;
      canvas.width = picture.width;
      canvas.height = picture.height;
      canvas.getContext("2d").drawImage(picture, 0, 0);
      picture.close();
      box.dataset.shown = "1";
    }
  } catch {
    // No picture, or one that cannot be read: the next one comes in a few seconds.
  } finally {
    delete box.dataset.busy;
  }
}

// What may change while a stream is listed.
function update(item, stream) {
  const text = item.querySelector(".about");
  if (text.textContent !== about(stream)) text.textContent = about(stream);
  const box = item.querySelector(".thumb");
  const source = typeof stream.thumbnail === "string" ? stream.thumbnail : undefined;
  if (box.dataset.source === source) return;
  if (source) {
    box.dataset.source = source;
    if (visible.has(box)) showPicture(box);
  } else {
    delete box.dataset.source;
    delete box.dataset.shown;
  }
}

function draw(streams) {
  const names = streams.map((stream) => stream.name).join("\n");
  // Links are only replaced when the list itself changed, so that nobody clicks beside one.
  if (names !== drawn || list.children.length !== streams.length) {
    const before = new Map([...list.children].map((item) => [item.dataset.name, item]));
    list.replaceChildren(...streams.map((stream) => before.get(stream.name) || entry(stream)));
    drawn = names;
  }
  streams.forEach((stream, at) => update(list.children[at], stream));
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
setInterval(showPictures, PICTURE_MS);
