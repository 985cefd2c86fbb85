"""The report in a real Chromium: it asks nobody for anything, complains about nothing, follows the system's colours, and runs no stranger's script."""

from __future__ import annotations

import html
import json
import re
import sys
from pathlib import Path

import pytest
from chromium import Chromium
from datalchemy.formats.report import render

sys.path.append(str(Path(__file__).resolve().parent.parent / "formats"))
from test_report import XSS, measured, told

pytestmark = pytest.mark.real

TOUCH_EVERYTHING = """
(() => {
  for (const details of document.querySelectorAll("details")) details.open = true;
  for (const element of document.querySelectorAll("main *"))
    for (const kind of ["mouseover", "mouseenter", "focus", "click"]) element.dispatchEvent(new MouseEvent(kind, {bubbles: true}));
  return document.querySelectorAll("*").length;
})()
"""


async def shown(browser: Chromium, page: str, file: Path) -> str:
    """Open a page and touch all of it; its address."""
    file.write_text(page)
    await browser.goto(file.as_uri())
    assert await browser.run(TOUCH_EVERYTHING) > 20
    return file.as_uri()


async def test_the_demo_report_is_quiet_and_alone(browser: Chromium, demo: Path, tmp_path: Path) -> None:
    page = demo / "report.html"
    await browser.goto(page.as_uri())
    await browser.run(TOUCH_EVERYTHING)
    assert browser.requests == [page.as_uri()]
    assert browser.complaints == []
    text = await browser.run("document.body.innerText")
    assert "cold-start-cot" in text
    assert f"of {json.loads((demo / 'manifest.json').read_bytes())['rows']:,} wanted" in text
    assert re.search(r"1 / \d+", text), "the samples cannot be paged"
    assert await browser.run("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than its window"


async def test_it_follows_the_systems_colours_and_the_button(browser: Chromium, demo: Path, tmp_path: Path) -> None:
    colours, shots = {}, {}
    for scheme in ("light", "dark"):
        await browser.prefer(scheme)
        await browser.goto((demo / "report.html").as_uri())
        colours[scheme] = await background(browser)
        shots[scheme] = await browser.screenshot(tmp_path / f"{scheme}.png")
        assert len(shots[scheme]) > 20_000, "a page with nothing on it"
    assert brightness(colours["light"]) > 200 > 60 > brightness(colours["dark"])
    assert shots["light"] != shots["dark"]
    await browser.run("document.querySelector('#theme').click()")
    assert await background(browser) == colours["light"]


async def background(browser: Chromium) -> str:
    return await browser.run("getComputedStyle(document.body).backgroundColor")


def brightness(colour: str) -> float:
    """Mean of the three channels of `rgb(r, g, b)`."""
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3


async def test_no_text_of_a_model_runs(browser: Chromium, tmp_path: Path) -> None:
    for number, text in enumerate(XSS):
        address = await shown(browser, render(told(text), measured([text])), tmp_path / f"{number}.html")
        assert await browser.run("typeof window.hit") == "undefined", text
        assert browser.requests == [address], text
        assert browser.complaints == [], text


async def test_control_text_that_is_not_escaped_is_seen(browser: Chromium, tmp_path: Path) -> None:
    """Twice: stopped by the page's own policy alone, which Chromium reports; and without a policy, where it runs."""
    open_page = render(told("MARK"), measured(["MARK"])).replace("MARK", XSS[3])
    await shown(browser, open_page, tmp_path / "policy.html")
    assert await browser.run("typeof window.hit") == "undefined"
    assert any("Content Security Policy" in complaint for complaint in browser.complaints)
    naked = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", open_page)
    assert "default-src" not in html.unescape(naked)
    address = await shown(browser, naked, tmp_path / "naked.html")
    assert await browser.run("window.hit") == 1
    assert browser.requests != [address]
