"use strict";
(() => {
  const root = document.documentElement;
  const themes = ["light", "dark"];
  const remembered = () => { try { return localStorage.getItem("datalchemy-theme"); } catch { return null; } };
  const remember = (theme) => { try { localStorage.setItem("datalchemy-theme", theme); } catch { return; } };
  const asked = new URLSearchParams(location.search).get("theme") || remembered();
  if (themes.includes(asked)) root.dataset.theme = asked;

  document.addEventListener("DOMContentLoaded", () => {
    root.classList.add("js");
    document.querySelector("#theme").addEventListener("click", () => {
      const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = dark ? "light" : "dark";
      remember(root.dataset.theme);
    });
    for (const column of document.querySelectorAll(".column")) {
      const samples = [...column.querySelectorAll(".sample")];
      const place = column.querySelector(".place");
      let at = 0;
      const show = (n) => {
        at = (n + samples.length) % samples.length;
        samples.forEach((sample, i) => sample.classList.toggle("off", i !== at));
        place.textContent = `${at + 1} / ${samples.length}`;
      };
      if (!samples.length) continue;
      column.querySelector(".back").addEventListener("click", () => show(at - 1));
      column.querySelector(".on").addEventListener("click", () => show(at + 1));
      show(0);
    }
  });
})();
