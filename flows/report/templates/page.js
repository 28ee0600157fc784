"use strict";
function draw(config) {
  const options = { actions: false, renderer: "svg", config, tooltip: { theme: "page" } };
  const diagram = document.querySelector(".diagram");
  diagram.scrollLeft = (diagram.scrollWidth - diagram.clientWidth) / 2;
  const waiting = [...document.querySelectorAll("[data-chart]")].map((place) => {
    const spec = document.querySelector(`[data-spec="${place.dataset.chart}"]`).textContent;
    const name = place.getAttribute("aria-label");
    return vegaEmbed(place, JSON.parse(spec), options).then(() => {
      // Vega names every picture "Vega visualization" and makes screen readers read every mark.
      place.setAttribute("role", "img");
      place.setAttribute("aria-label", name);
    });
  });
  Promise.all(waiting).then(
    () => document.documentElement.setAttribute("data-drawn", String(waiting.length)),
    (error) => console.error(error),
  );
}
