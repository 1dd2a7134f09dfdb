"""Leaving at a signal, also where Textual cannot.

When its terminal is gone, as after a hang-up, the thread of Textual that writes there dies, and soon the
event loop waits for ever for room in that thread's queue; nothing that runs on the loop can end it then. A
handler of Python's own still runs. It asks the application to leave, and a while later leaves by force: the
nodes end with their control connections, so that nobody is left behind.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from types import FrameType
from typing import Any

from textual.app import App

GRACE_S = 8.0
"""So long ending the nodes one by one may take, on a busy machine."""


def leave_at_signals(app: App[Any]) -> None:
    """SIGTERM, SIGINT and SIGHUP end this application, on the running loop, and within 8 s this process."""
    loop = asyncio.get_running_loop()

    def leave(number: int, frame: FrameType | None) -> None:
        if loop.is_closed():  # between the start screen and the lab: nothing runs yet
            os._exit(128 + number)
        by_force = threading.Timer(GRACE_S, os._exit, (128 + number,))
        by_force.daemon = True
        by_force.start()
        loop.call_soon_threadsafe(app.exit)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, leave)
