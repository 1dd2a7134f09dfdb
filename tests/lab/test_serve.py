"""The lab in a browser: over loopback, for its own pages alone, and without leftovers."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import psutil
import pytest

from tests.worlds import next_ports

ROOT = Path(__file__).parents[2]
LIMIT_S = 30.0


class Served(psutil.Popen):
    """`kvlab serve`, running."""

    def __init__(self, state: Path, *arguments: str) -> None:
        self.port = next_ports()
        super().__init__(
            [sys.executable, "-m", "kvlab", "serve", *arguments, "--port", str(self.port), "--world", "sim"],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(state), "LC_ALL": "C.UTF-8"},
        )
        self.said = [self.stdout.readline(), self.stdout.readline()]

    @property
    def page(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    server = Served(tmp_path)
    yield server
    if server.is_running():
        server.kill()
    server.wait(LIMIT_S)
    server.stdout.close()


async def sees(tab: aiohttp.ClientWebSocketResponse, *words: str) -> None:
    """Wait until all of this has been drawn; what only moves the cursor is no word."""
    drawn = ""
    async with asyncio.timeout(LIMIT_S):
        async for message in tab:
            drawn += re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", message.data.decode(errors="replace"))
            if all(word in drawn for word in words):
                return
    raise AssertionError(f"the tab was closed; drawn was {drawn}")


def ended(processes: list[psutil.Process]) -> bool:
    return not psutil.wait_procs(processes, timeout=LIMIT_S)[1]


def test_a_tab_is_a_lab_that_ends_with_it(served: Served) -> None:
    assert "stage 1, hashmap" in served.said[0]
    assert served.page in served.said[1]

    async def browse() -> list[psutil.Process]:
        async with aiohttp.ClientSession() as browser:
            async with browser.get(served.page) as page:
                assert page.status == 200
                assert f"ws://127.0.0.1:{served.port}/ws" in await page.text()
            async with browser.ws_connect(f"{served.page}/ws", origin=served.page) as tab:
                await sees(tab, "stage 1", "1/1 up", "ONE DICT")
                await tab.send_json(["stdin", "w"])
                await sees(tab, "put cart:42 bread")
                running: list[psutil.Process] = served.children(recursive=True)
                assert running
                return running

    assert ended(asyncio.run(browse()))


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
def test_a_server_that_ends_takes_its_labs_along(served: Served, how: str) -> None:
    async def browse() -> list[psutil.Process]:
        async with (
            aiohttp.ClientSession() as browser,
            browser.ws_connect(f"{served.page}/ws", origin=served.page) as tab,
        ):
            await sees(tab, "ONE DICT")
            running: list[psutil.Process] = served.children(recursive=True)
            served.send_signal(signal.Signals[how])
            return running

    assert ended(asyncio.run(browse()))


def test_other_pages_and_other_names_are_refused(served: Served) -> None:
    async def browse() -> None:
        async with aiohttp.ClientSession() as browser:
            with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
                await browser.ws_connect(f"{served.page}/ws", origin="http://example.org")
            async with browser.get(served.page, headers={"Host": f"example.org:{served.port}"}) as page:
                assert page.status == 403
                assert "kvlab serves its own pages alone" in await page.text()

    asyncio.run(browse())
    assert not served.children()
    listening = {connection.laddr.ip for connection in served.net_connections("tcp") if not connection.raddr}
    assert listening == {"127.0.0.1"}
