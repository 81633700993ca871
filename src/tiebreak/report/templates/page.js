// The one script of a report. Without it the page reads whole: curves have no values at the pointer, answers one order.
// Whatever comes from a run is put on the page as text, never as markup.
"use strict";

const SVG = "http://www.w3.org/2000/svg";

function make(name, attributes, parent) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.append(made);
  return made;
}

function written(value, percent) {
  if (value === null) return "not finite";
  const text = percent ? (100 * value).toFixed(1) + "%" : String(Number(value.toPrecision(4)));
  return text.replace("-", "−");
}

// The point of a line that is nearest to a step; its points stand in the order of their steps.
function nearest(points, step) {
  let low = 0, high = points.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (points[middle][0] < step) low = middle; else high = middle;
  }
  return step - points[low][0] <= points[high][0] - step ? points[low] : points[high];
}

function curve(plot) {
  const svg = plot.querySelector("svg"), data = JSON.parse(plot.dataset.hover), unit = data.unit ?? "step";
  const [left, top, width, height] = data.box, [first, last] = data.steps, [bottom, ceiling] = data.values;
  const steps = [...new Set(data.lines.flatMap(line => line.points.map(point => point[0])))].sort((a, b) => a - b);
  const x = step => left + width * (step - first) / (last - first);
  const y = value => top + height * (ceiling - Math.min(Math.max(value, bottom), ceiling)) / (ceiling - bottom);
  const over = make("g", {visibility: "hidden"}, svg);
  const rule = make("path", {fill: "none", style: "stroke: var(--curve-text)"}, over);
  const read = document.createElement("p");
  read.className = "read";
  const at = read.appendChild(document.createElement("b"));
  const shown = data.lines.map(line => {
    const colour = `var(${line.colour})`;
    const dot = make("circle", {r: 4, style: `fill: ${colour}; stroke: var(--curve-page)`}, over);
    const item = read.appendChild(document.createElement("span"));
    item.append(Object.assign(document.createElement("i"), {className: "swatch"}), document.createElement("span"));
    item.firstChild.style.background = colour;
    return {line, dot, words: item.lastChild};
  });
  plot.after(read);

  let place = steps.length - 1;
  function show(number, visible) {
    place = Math.min(Math.max(number, 0), steps.length - 1);
    const step = steps[place];
    at.textContent = `${unit} ` + Math.round(step).toLocaleString("en");
    rule.setAttribute("d", `M${x(step)} ${top}V${top + height}`);
    for (const {line, dot, words} of shown) {
      const [where, value, low, high] = nearest(line.points, step);
      let text = `${line.name} ${written(value, data.percent)}`;
      if (low !== undefined && low !== high) text += ` (${written(low, data.percent)} to ${written(high, data.percent)})`;
      if (where !== step) text += ` at ${unit} ${Math.round(where).toLocaleString("en")}`;
      words.textContent = text;
      dot.setAttribute("visibility", value === null ? "hidden" : "inherit");
      if (value === null) continue;
      dot.setAttribute("cx", x(where));
      dot.setAttribute("cy", y(value));
    }
    over.setAttribute("visibility", visible ? "visible" : "hidden");
    plot.setAttribute("aria-valuenow", place + 1);
    plot.setAttribute("aria-valuetext", [at, ...shown.map(each => each.words)].map(each => each.textContent).join(", "));
  }

  plot.tabIndex = 0;
  plot.setAttribute("role", "slider");
  plot.setAttribute("aria-label", `${svg.getAttribute("aria-label")}: values by ${unit}`);
  plot.setAttribute("aria-valuemin", 1);
  plot.setAttribute("aria-valuemax", steps.length);
  show(place, false);
  const point = event => {
    const seen = svg.getBoundingClientRect(), scale = seen.width / svg.viewBox.baseVal.width;
    const step = first + (last - first) * ((event.clientX - seen.left) / scale - left) / width;
    show(steps.indexOf(nearest(steps.map(each => [each]), step)[0]), true);
  };
  plot.addEventListener("pointermove", point);
  plot.addEventListener("pointerdown", point);
  plot.addEventListener("pointerleave", event => {
    // A finger that is lifted leaves its values there.
    if (event.pointerType === "mouse" && document.activeElement !== plot) show(steps.length - 1, false);
  });
  plot.addEventListener("focus", () => show(place, true));
  plot.addEventListener("blur", () => show(steps.length - 1, false));
  plot.addEventListener("keydown", event => {
    const far = Math.max(1, Math.round(steps.length / 10));
    const to = {
      ArrowLeft: place - 1, ArrowDown: place - 1, ArrowRight: place + 1, ArrowUp: place + 1,
      PageDown: place - far, PageUp: place + far, Home: 0, End: steps.length - 1,
    }[event.key];
    if (to === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    show(to, true);
  });
}

function sorting(bar) {
  const list = document.getElementById("answers");
  bar.hidden = false;
  bar.addEventListener("click", event => {
    const button = event.target.closest("button");
    if (!button) return;
    for (const each of bar.querySelectorAll("button")) each.setAttribute("aria-pressed", String(each === button));
    // Larger changes first; what was not measured is last, and equal ones are as in the data.
    const key = answer => {
      const value = answer.getAttribute(`data-${button.dataset.by}`);
      return value === null ? -Infinity : Number(value);
    };
    const place = answer => Number(answer.dataset.place);
    const order = button.dataset.by === "place"
      ? (a, b) => place(a) - place(b)
      : (a, b) => key(b) - key(a) || place(a) - place(b);
    list.append(...[...list.children].sort(order));
  });
}

document.querySelectorAll("[data-hover]").forEach(curve);
document.querySelectorAll(".order").forEach(sorting);

// On paper nothing can be opened.
addEventListener("beforeprint", () => {
  for (const closed of document.querySelectorAll("details:not([open])")) {
    closed.open = true;
    closed.dataset.printed = "";
  }
});
addEventListener("afterprint", () => {
  for (const opened of document.querySelectorAll("details[data-printed]")) {
    opened.open = false;
    delete opened.dataset.printed;
  }
});
