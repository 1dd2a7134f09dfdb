"""Start a coroutine at once, and make a task of it only if it has to wait.

Most handlers never wait: a replica stores and confirms. A task costs some microseconds and a turn of the
loop; one `coroutine.send(None)` costs neither. If that raises StopIteration, the coroutine is done; else it
returned what the coroutine waits for, and a task goes on with `await resume(coroutine, that)`. (Python
3.12 has eager tasks built in; 3.11 does not.)

The first step runs outside of any task, so nothing in it may ask for `asyncio.current_task()`, as
`asyncio.timeout` does. Nodes wait through their Env, which does not.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")


@types.coroutine
def resume(
    coroutine: Coroutine[Any, Any, T] | Generator[Any, Any, T], waits_for: Any
) -> Generator[Any, Any, T]:
    """The rest of a coroutine that was stepped once: between it and its task, pass on what either says."""
    step: Callable[[Any], Any]
    while True:
        try:
            given = yield waits_for
        except BaseException as error:
            step, given = coroutine.throw, error
        else:
            step = coroutine.send
        try:
            waits_for = step(given)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
