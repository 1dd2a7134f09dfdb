"""What an error of Python's usually means that the reader's own code has raised.

A check knows what people misunderstand who answer wrongly; of a name that was not imported it knows nothing.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from textwrap import dedent

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
        r"TypeError: tuple indices must be integers or slices, not \w+",
        "a tuple of pairs has no names to look up; dict(pairs) has.",
    ),
    (
        r"expected a read to return a copy",
        "what is held goes back whole, stamp, expiry and all; what a client sees of it is made elsewhere.",
    ),
    (r"SystemExit", "it ends the whole process, which nothing in a node may do: return, or raise an error."),
    (
        r"time\.sleep stops",
        "who asks this node waits as well; and in the simulator no time passes while a node stands still.",
    ),
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


def in_a_node(said: str) -> str:
    """What is probably behind an error of the piece in a node, as in "quorum.py, line 3: TypeError: ..."."""
    known = likely(said)
    if not known and is_slip(said.split(": ", 1)[-1]):
        return "what that line was given is not what it is made for. Print it there: the last lines are told."
    return known


def is_slip(said: str) -> bool:
    """Whether it is a slip in the writing, from which nothing follows for what its writer has understood."""
    return said.startswith(("AttributeError", "ImportError", "NameError", "TypeError", "UnboundLocalError"))


def returned(function: Callable[..., object], got: object) -> str:
    """What is probably behind a thing that was returned, if it is one that nobody wants; "" if it is not."""
    if inspect.isgenerator(got):
        return "a method with `yield` in it makes a generator, which does nothing until it is gone through."
    if got is None and not _returns_something(function):
        return f"nothing is returned: there is no `return` with a value in {function.__name__}."
    return ""


def _returns_something(function: Callable[..., object]) -> bool:
    """Whether there is a way out of it with a value; also where its source cannot be read."""
    try:
        tree = ast.parse(dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return True
    return any(isinstance(node, ast.Return | ast.Lambda) and _is_value(node) for node in ast.walk(tree))


def _is_value(node: ast.Return | ast.Lambda) -> bool:
    value = node.value if isinstance(node, ast.Return) else node.body
    return value is not None and not (isinstance(value, ast.Constant) and value.value is None)


def _no_such_field(said: str) -> str:
    """Which fields one of our messages has, if it was asked for another."""
    found = re.search(r"AttributeError: '(\w+)' object has no attribute", said)
    kind = getattr(messages, found[1], None) if found is not None else None
    if found is None or not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return ""
    return f"the fields of a {found[1]} are: {', '.join(kind.__struct_fields__) or 'none'}."
