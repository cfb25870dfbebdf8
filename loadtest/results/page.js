"use strict";
// The values under the pointer. Everything is set as text: the data hold words of servers and files.
for (const svg of document.querySelectorAll("svg[data-hover]")) {
  const data = JSON.parse(svg.dataset.hover);
  const figure = svg.closest("figure");
  const hair = document.createElementNS("http://www.w3.org/2000/svg", "line");
  hair.setAttribute("class", "hair");
  hair.setAttribute("y1", 28);
  hair.setAttribute("y2", 208);
  const tip = document.createElement("div");
  tip.className = "tip";
  const hide = () => { hair.remove(); tip.remove(); };
  svg.addEventListener("pointerleave", hide);
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
    let best = 0;
    for (let i = 1; i < data.x.length; i++) if (Math.abs(data.x[i] - x) < Math.abs(data.x[best] - x)) best = i;
    if (Math.abs(data.x[best] - x) > 20) return hide();
    hair.setAttribute("x1", data.x[best]);
    hair.setAttribute("x2", data.x[best]);
    svg.append(hair);
    tip.replaceChildren(Object.assign(document.createElement("div"), { textContent: data.t[best] }));
    for (const [name, look, values] of data.s) {
      const row = document.createElement("div");
      const key = Object.assign(document.createElement("span"), { className: "key " + look, textContent: name + " " });
      row.append(key, Object.assign(document.createElement("b"), { textContent: values[best] }));
      tip.append(row);
    }
    figure.append(tip);
    const px = data.x[best] / svg.viewBox.baseVal.width * box.width + box.left - figure.getBoundingClientRect().left;
    const left = px + 14 + tip.offsetWidth > figure.clientWidth ? px - tip.offsetWidth - 14 : px + 14;
    tip.style.left = Math.max(0, left) + "px";
    tip.style.top = (box.top - figure.getBoundingClientRect().top + 34) + "px";
  });
}
