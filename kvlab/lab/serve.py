"""The lab in a browser: one process of the lab, and so one cluster, a tab.

textual-serve does the work. What is added here is a guard at the door: whoever is served can type lines and
save files, so only pages that this server itself has sent may speak to it. Listening on loopback is not
enough for that, since any page in the same browser can reach loopback too.
"""

from __future__ import annotations

import asyncio
import shlex
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiohttp import web
from textual_serve.server import Server

from kvlab.errors import KvlabError

LOOPBACK = "127.0.0.1"


class LabServer(Server):
    """Serves `kvlab lab` with these arguments until Ctrl-C or SIGTERM."""

    def __init__(self, arguments: Sequence[str], port: int) -> None:
        # `exec`: the lab is the server's own child, so that it can see when the server is gone.
        command = shlex.join(["exec", sys.executable, "-m", "kvlab", "lab", *arguments])
        super().__init__(command, host=LOOPBACK, port=port, title="kvlab")
        self._tabs: set[asyncio.Task[Any]] = set()

    async def _make_app(self) -> web.Application:
        application = await super()._make_app()
        application.middlewares.append(self._only_own_pages)
        return application

    @web.middleware
    async def _only_own_pages(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Refuse whoever calls us by another name, or comes from another page."""
        own = f"{LOOPBACK}:{self.port}"
        if request.host != own or request.headers.get("Origin", self.public_url) != self.public_url:
            raise web.HTTPForbidden(text=f"kvlab serves its own pages alone: open http://{own}/\n")
        return await handler(request)

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """One tab, from its first picture to its last."""
        tab = asyncio.current_task()
        assert tab is not None
        self._tabs.add(tab)
        try:
            return await super().handle_websocket(request)
        finally:
            self._tabs.discard(tab)

    async def on_shutdown(self, app: web.Application) -> None:
        """End every tab's lab now; aiohttp would wait a minute for them to end by themselves."""
        tabs = list(self._tabs)
        for tab in tabs:
            tab.cancel()
        await asyncio.gather(*tabs, return_exceptions=True)

    async def on_startup(self, app: web.Application) -> None:
        """`run` says where to look, once the port is open."""

    async def run(self) -> None:
        """Serve until Ctrl-C or SIGTERM. Raises KvlabError if the port is taken."""
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        runner = web.AppRunner(await self._make_app())
        await runner.setup()
        try:
            try:
                await web.TCPSite(runner, LOOPBACK, self.port).start()
            except OSError as error:
                raise KvlabError(
                    f"cannot listen on port {self.port}: {error.strerror}; try another --port"
                ) from None
            print(
                f"The lab is at {self.public_url}/ for a browser on this machine. Ctrl-C ends it.", flush=True
            )
            await stop.wait()
        finally:
            await runner.cleanup()
