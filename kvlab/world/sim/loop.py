"""An asyncio event loop on virtual time: nothing waits, and the same seed gives the same run.

Time stands still while callbacks run and jumps to the next timer when there is nothing to do. `step` is
one such jump: the unit by which a person steps through a run.

What makes it deterministic, where asyncio's own loop is not: timers fire in the order (time, sequence),
and `now` becomes the timer's own time; tasks hash by a number of their loop's own and not by address, so
that sets of tasks iterate alike in every run. What it cannot mend is `asyncio.as_completed` and
`asyncio.wait`, which nodes therefore must not use.
"""

from __future__ import annotations

import asyncio
import heapq
import sys
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from typing import Any, NoReturn, TypeVar

import msgspec

from kvlab.errors import KvlabError

T = TypeVar("T")

STEP_BUDGET = 200_000
"""Callbacks at one moment of virtual time, above which something surely runs in a circle."""

life: ContextVar[object] = ContextVar("life", default=None)
"""Whose code runs: the life of a node, or None for the world itself. Tasks and timers inherit it."""


class StuckError(KvlabError):
    """Virtual time cannot go on: code runs without ever waiting, or waits for what cannot come."""


class Handle(msgspec.Struct, eq=False):
    """A callback that is to run; what asyncio calls a Handle and, with a time, a TimerHandle.

    A struct, because that is made in C, and three are made for every message.
    """

    _when: float
    callback: Callable[..., object]
    args: tuple[Any, ...]
    context: Context
    dropped: bool = False

    def cancel(self) -> None:
        self.dropped = True

    def cancelled(self) -> bool:
        return self.dropped

    def when(self) -> float:
        return self._when

    def owner(self) -> object:
        return self.context.get(life)


class SimTask(asyncio.Task[T]):
    """A task that hashes by its number in its loop, given when it is first asked for: at its creation."""

    _number: int | None = None

    def __hash__(self) -> int:
        if self._number is None:
            self._number = self.get_loop().number_task()  # type: ignore[attr-defined]  # a SimLoop
        return self._number


class SimLoop(asyncio.AbstractEventLoop):
    """The loop. Time is in seconds from 0, as asyncio has it."""

    def __init__(self) -> None:
        self.steps = 0  # timers fired so far
        self._now = 0.0
        self._sequence = 0
        self._tasks = 0
        self._ready: deque[Handle] = deque()
        self._timers: list[tuple[float, int, Handle]] = []
        self._parked: dict[object, list[Handle]] = {}  # what the suspended lives would have run
        self._failure: BaseException | None = None
        self._closed = False

    # -- running ---------------------------------------------------------------------------------

    def step(self) -> bool:
        """Jump to the next timer, run it and all that follows at that moment; False if there is none."""
        with self._running():
            self._settle()
            return self._step()

    def settle(self) -> None:
        """Run all that can run without time going on. Raises StuckError when that never ends."""
        with self._running():
            self._settle()

    def run_to(self, when: float) -> None:
        """Run everything that is due up to this time, in seconds, and let it be that time."""
        with self._running():
            self._settle()
            while (following := self.next_time()) is not None and following <= when:
                self._step()
        self.pass_to(when)

    def pass_to(self, when: float) -> None:
        """Let it be that time, in seconds, and run nothing: the caller knows that nothing is due before."""
        self._now = max(self._now, when)

    def run_until_complete(self, future: Any) -> Any:
        """Run until this is done, and return or raise what it did."""
        task = asyncio.ensure_future(future, loop=self)
        with self._running():
            self._settle()
            while not task.done():
                if not self._step():
                    raise StuckError(
                        f"nothing is left to happen at {self._now:.3f} s, and {task!r} still waits"
                    )
        return task.result()

    @contextmanager
    def _running(self) -> Iterator[None]:
        """Be asyncio's running loop, whatever was; the caller may itself run on another loop.

        That other loop also takes charge of generators that are left early, and must not of ours.
        """
        outer, hooks = asyncio._get_running_loop(), sys.get_asyncgen_hooks()
        asyncio._set_running_loop(self)
        sys.set_asyncgen_hooks(None, None)
        try:
            yield
        finally:
            sys.set_asyncgen_hooks(*hooks)
            asyncio._set_running_loop(outer)

    def _step(self) -> bool:
        while self._timers:
            when, _, handle = heapq.heappop(self._timers)
            if handle.dropped:
                continue
            if when > self._now:
                self._now = when
            self.steps += 1
            if not (self._parked and self._park(handle)):
                handle.context.run(handle.callback, *handle.args)
            if self._ready or self._failure is not None:
                self._settle()
            return True
        return False

    def _settle(self) -> None:
        ready, parked = self._ready, self._parked
        for _ in range(STEP_BUDGET):
            if not ready:
                break
            handle = ready.popleft()
            if not handle.dropped and not (parked and self._park(handle)):
                handle.context.run(handle.callback, *handle.args)
        else:
            raise StuckError(
                f"{STEP_BUDGET} callbacks ran at {self._now:.3f} s and no time has passed: some code "
                "runs in a circle, perhaps `while ...: await sleep(0)`; let it wait for something"
            )
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def next_time(self) -> float | None:
        """When the next timer fires, in seconds; None if none will."""
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def pending(self, callback: Callable[..., object]) -> list[Handle]:
        """The timers that will run this, in the order in which they will. O(n) for n timers of any kind."""
        waiting = [entry for entry in self._timers if not entry[2].dropped and entry[2].callback == callback]
        return [handle for _, _, handle in sorted(waiting, key=lambda entry: entry[:2])]

    # -- suspending the code of one owner --------------------------------------------------------

    def suspend(self, owner: object) -> None:
        """Run nothing of this owner's until `wake`: what falls due meanwhile is kept, in order."""
        self._parked.setdefault(owner, [])

    def wake(self, owner: object) -> None:
        """Run what was kept, now."""
        self._ready.extend(self._parked.pop(owner, ()))

    def discard(self, owner: object) -> None:
        """Never run what was kept."""
        self._parked.pop(owner, None)

    def suspended(self, owner: object) -> bool:
        """Whether nothing of this owner's runs now."""
        return owner in self._parked

    def _park(self, handle: Handle) -> bool:
        kept = self._parked.get(handle.owner())
        if kept is None:
            return False
        kept.append(handle)
        return True

    # -- what asyncio asks of a loop -------------------------------------------------------------

    def time(self) -> float:
        return self._now

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Handle:
        handle = Handle(self._now, callback, args, copy_context() if context is None else context)
        self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Handle:
        when = self._now + delay
        handle = Handle(when, callback, args, copy_context() if context is None else context)
        self._sequence += 1
        heapq.heappush(self._timers, (when, self._sequence, handle))
        return handle

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Handle:
        handle = Handle(when, callback, args, copy_context() if context is None else context)
        self._sequence += 1
        heapq.heappush(self._timers, (when, self._sequence, handle))
        return handle

    def call_soon_threadsafe(self, *_: Any, **__: Any) -> NoReturn:  # type: ignore[override]
        raise StuckError("there are no threads in the simulator: another thread's time is not virtual")

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Coroutine[Any, Any, T], **options: Any) -> SimTask[T]:  # type: ignore[override]
        return SimTask(coro, loop=self, **options)

    def number_task(self) -> int:
        """The next task's number."""
        self._tasks += 1
        return self._tasks

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """What nobody catches ends the run: a simulation does not go on over an error."""
        self._failure = context.get("exception") or StuckError(str(context.get("message")))

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        self.call_exception_handler(context)

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return asyncio._get_running_loop() is self

    def is_closed(self) -> bool:
        return self._closed

    async def shutdown_asyncgens(self) -> None:
        """There is nothing to shut down: no generator of ours holds anything."""

    def close(self) -> None:
        self._closed = True
        self._ready.clear()
        self._timers.clear()
