"""Keys without waiting for the machine to be idle."""

from __future__ import annotations

import asyncio

import pytest

TURNS = 20
"""A key goes from the application to a widget and back in fewer turns of the loop."""


@pytest.fixture(autouse=True)
def keys_are_pressed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """After each key Textual's Pilot waits until the process does nothing, or for a second: a lab that draws
    a cluster always does something. Our tests wait for what they are about."""

    async def turns(*_: float) -> None:
        for _turn in range(TURNS):
            await asyncio.sleep(0)

    monkeypatch.setattr("textual.app.wait_for_idle", turns)
    monkeypatch.setattr("textual.pilot.wait_for_idle", turns)
