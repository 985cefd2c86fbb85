"""A headless Chromium, driven over its DevTools protocol: what a page asks for, complains about and shows."""

from __future__ import annotations

import asyncio
import base64
import shutil
import subprocess
from pathlib import Path
from typing import Any, Self

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless=new",
    "--no-sandbox",  # of root, Chromium demands it
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--hide-scrollbars",
    "--window-size=1200,900",
    "--remote-debugging-port=0",
)
START_S = 120


class Chromium:
    """One browser with one page; `complaints` and `requests` collect since the last `goto`."""

    def __init__(self, profile: Path) -> None:
        self.complaints: list[str] = []
        """Uncaught exceptions, console errors and warnings, refusals of the page's own policy."""
        self.requests: list[str] = []
        """Every address that was asked for, the page's own first."""
        self._profile = profile
        self._sent = 0
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._loaded = asyncio.Event()

    async def __aenter__(self) -> Self:
        binary = next((found for name in NAMES if (found := shutil.which(name))), None)
        assert binary, f"no browser: install one of {', '.join(NAMES)}"
        self._process = subprocess.Popen(
            [binary, *FLAGS, f"--user-data-dir={self._profile}", "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            port = await self._port()
            self._http = aiohttp.ClientSession(trust_env=False)
            async with self._http.get(f"http://127.0.0.1:{port}/json/list") as answer:
                page = next(target for target in await answer.json() if target["type"] == "page")
            self._socket = await self._http.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0)
            self._listener = asyncio.ensure_future(self._listen())
            for domain in ("Page", "Runtime", "Network", "Log"):
                await self.ask(f"{domain}.enable")
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._listener.cancel()
        await asyncio.gather(self._listener, return_exceptions=True)
        await self._socket.close()
        await self._http.close()
        self._process.terminate()
        try:
            await asyncio.to_thread(self._process.wait, 20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol and its result."""
        self._sent += 1
        answer = self._answers[self._sent] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": self._sent, "method": method, "params": params})
        return await asyncio.wait_for(answer, START_S)

    async def goto(self, address: str) -> None:
        self.complaints.clear()
        self.requests.clear()
        self._loaded.clear()
        await self.ask("Page.navigate", url=address)
        await asyncio.wait_for(self._loaded.wait(), START_S)
        await self.run("new Promise(done => requestAnimationFrame(() => setTimeout(done, 200)))")

    async def run(self, script: str) -> Any:
        """What a JavaScript expression comes to, in the page."""
        answer = await self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def prefer(self, scheme: str) -> None:
        """`light` or `dark`, as the system would say it."""
        await self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    async def screenshot(self, target: Path) -> bytes:
        target.write_bytes(base64.b64decode((await self.ask("Page.captureScreenshot", format="png"))["data"]))
        return target.read_bytes()

    async def _port(self) -> int:
        told = self._profile / "DevToolsActivePort"
        for _ in range(START_S * 10):
            if told.exists() and (lines := told.read_text().splitlines()):
                return int(lines[0])
            assert self._process.poll() is None, f"the browser ended with {self._process.returncode}"
            await asyncio.sleep(0.1)
        raise AssertionError(f"the browser did not start within {START_S} s")

    async def _listen(self) -> None:
        async for message in self._socket:
            event = message.json()
            if "id" in event:
                self._answers.pop(event["id"]).set_result(event.get("result", {"exceptionDetails": event.get("error")}))
                continue
            params = event["params"]
            match event["method"]:
                case "Page.loadEventFired":
                    self._loaded.set()
                case "Network.requestWillBeSent":
                    self.requests.append(params["request"]["url"])
                case "Runtime.exceptionThrown":
                    self.complaints.append(str(params["exceptionDetails"]))
                case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
                    self.complaints.append(str(params["args"]))
                case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
                    self.complaints.append(params["entry"]["text"])
