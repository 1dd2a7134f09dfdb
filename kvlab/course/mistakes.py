"""What an error of Python's usually means that the reader's own code has raised.

A check knows what people misunderstand who answer wrongly; of a name that was not imported it knows nothing.
"""

from __future__ import annotations

import re

import msgspec

from kvlab import messages

_AWAIT = (
    "an `await` is missing. A call of an async method makes a coroutine, which does nothing until awaited."
)
_NONE = "something is None here: nothing there, no limit, or a method without `return`. Ask first."

_MEANINGS = [
    (
        r"NameError: name '(\w+)'",
        "`{0}` is not known in this file: it is spelled otherwise where it was made, or not imported.",
    ),
    (
        r"UnboundLocalError: .*'(\w+)'",
        "`{0}` is given a value on one way through the method, and this is another one.",
    ),
    (r"KeyError: ", "`held[key]` raises where nothing is under the key; `held.get(key)` answers None."),
    (
        r"IndexError: .*(list|tuple) ",
        "the place is outside the {0}: one too far, or the {0} is empty.",
    ),
    (r"RecursionError", "a method calls itself, directly or through another one, and that never ends."),
    (r"coroutine", _AWAIT),
    (
        r"'async_generator' object is not iterable",
        "answers that come one by one are gone through with `async for`.",
    ),
    (r"NoneType", _NONE),
    (
        r"AttributeError: '(\w+)' object has no attribute '(?:tell|bytes|env|r|w)'",
        "that is set by the class that you were given: `{0}.__init__` has to call super().__init__ first.",
    ),
]


def likely(said: str) -> str:
    """What is probably behind an error, from its type and message; "" if that says nothing by itself."""
    for pattern, meaning in _MEANINGS:
        found = re.search(pattern, said)
        if found is not None:
            return meaning.format(*found.groups())
    return _no_such_field(said)


def _no_such_field(said: str) -> str:
    """Which fields one of our messages has, if it was asked for another."""
    found = re.search(r"AttributeError: '(\w+)' object has no attribute", said)
    kind = getattr(messages, found[1], None) if found is not None else None
    if found is None or not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return ""
    return f"the fields of a {found[1]} are: {', '.join(kind.__struct_fields__) or 'none'}."
