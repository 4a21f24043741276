"use strict";
// Curves were drawn by Python; here they are read out, shown, hidden, and their paths swapped for another scale.
for (const figure of document.querySelectorAll("figure.chart")) {
  const data = JSON.parse(figure.querySelector("script").textContent);
  const svg = figure.querySelector("svg");
  const cross = svg.querySelector(".cross");
  const readout = figure.querySelector(".readout");
  const hidden = new Set();
  const views = new Set();
  let at = null;

  const plain = (value) => Number(value.toPrecision(5)).toString();

  function swap() {
    for (const path of svg.querySelectorAll("path")) {
      const own = path.dataset.linear || path.getAttribute("d");
      path.dataset.linear = own;
      const log = views.has("log");
      const smooth = views.has("smooth") && path.dataset.smooth;
      const chosen = smooth ? (log ? path.dataset.smoothLog : path.dataset.smooth) : log ? path.dataset.log : own;
      path.setAttribute("d", chosen || own);
    }
    svg.classList.toggle("log", views.has("log"));
  }

  // Every place along the axis that has a value, once, in order.
  const places = [...new Map(data.series.flatMap((one) => one.points.map((p) => [p[0], p[2]])))].sort((a, b) => a[0] - b[0]);

  function nearest(points, place) {
    let best = points[0];
    for (const point of points) if (Math.abs(point[0] - place) < Math.abs(best[0] - place)) best = point;
    return best;
  }

  function read(index) {
    if (!places.length) return;
    at = Math.max(0, Math.min(places.length - 1, index));
    const [place, x] = places[at];
    const told = data.series
      .filter((one, number) => one.points.length && !hidden.has(number))
      .map((one) => [one.name, nearest(one.points, place)])
      .map(([name, point]) => `${name} ${plain(point[1])}` + (point[0] === place ? "" : ` (${data.along} ${point[0]})`));
    cross.setAttribute("x1", x);
    cross.setAttribute("x2", x);
    svg.classList.add("reading");
    readout.textContent = `${data.along} ${place}: ${told.join(", ")}`;
  }

  function readNear(event) {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    let best = 0;
    places.forEach((place, index) => {
      if (Math.abs(place[1] - x) < Math.abs(places[best][1] - x)) best = index;
    });
    read(best);
  }

  function leave() {
    svg.classList.remove("reading");
    readout.textContent = "";
    at = null;
  }

  svg.addEventListener("pointermove", readNear);
  svg.addEventListener("pointerdown", readNear);
  svg.addEventListener("pointerleave", leave);
  svg.addEventListener("blur", leave);
  svg.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity };
    if (event.key === "Escape") leave();
    if (!(event.key in steps)) return;
    event.preventDefault();
    read(at === null ? (event.key === "End" ? places.length - 1 : 0) : at + steps[event.key]);
  });
  for (const button of figure.querySelectorAll("button[data-series]")) {
    button.addEventListener("click", () => {
      const number = Number(button.dataset.series);
      const show = hidden.delete(number);
      if (!show) hidden.add(number);
      button.setAttribute("aria-pressed", String(show));
      svg.querySelector(`g[data-series="${number}"]`).classList.toggle("off", !show);
    });
  }
  for (const box of figure.querySelectorAll(".views")) box.hidden = false;
  for (const button of figure.querySelectorAll("button[data-view]")) {
    button.addEventListener("click", () => {
      const on = !views.delete(button.dataset.view);
      if (on) views.add(button.dataset.view);
      button.setAttribute("aria-pressed", String(on));
      swap();
    });
  }
}
