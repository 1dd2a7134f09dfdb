"""What is told of an error that Python raises in the reader's file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kvlab.course.mistakes import in_a_node, is_slip, likely, returned
from kvlab.course.shared import shared


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("NameError: name 'token' is not defined", "`token` is not known in this file"),
        (
            "UnboundLocalError: cannot access local variable 'n' where it is not",
            "`n` is given a value on one way",
        ),
        ("KeyError: b'a'", "answers None"),
        ("IndexError: list index out of range", "outside the list"),
        ("RecursionError: maximum recursion depth exceeded", "calls itself"),
        ("AttributeError: 'coroutine' object has no attribute 'alive'", "an `await` is missing"),
        ("TypeError: Encoding objects of type coroutine is unsupported", "an `await` is missing"),
        ("TypeError: 'async_generator' object is not iterable", "`async for`"),
        ("TypeError: '>' not supported between instances of 'int' and 'NoneType'", "is None here"),
        (
            "AttributeError: 'Store' object has no attribute 'tell'",
            "`Store.__init__` has to call super().__init__",
        ),
        ("TypeError: tuple indices must be integers or slices, not str", "dict(pairs) has"),
        ("AttributeError: 'Fetched' object has no attribute 'version'", "the fields of a Fetched are: copy."),
        ("store.py, line 3: expected a read to return a copy or None, and got b'v'", "goes back whole"),
        ("SystemExit: 0", "ends the whole process"),
        ("time.sleep stops the whole node and not only you", "who asks this node waits as well"),
        ("ValueError: 3", ""),
    ],
)
def test_an_error_of_pythons_is_told_in_the_readers_terms(error: str, said: str) -> None:
    assert said in likely(error)
    assert bool(said) == bool(likely(error))


@pytest.mark.parametrize(
    ("error", "slip"),
    [("AttributeError: 'Circle' object has no attribute 'owner'", True), ("ValueError: 3", False)],
)
def test_a_slip_in_the_writing_says_nothing_of_what_its_writer_has_understood(error: str, slip: bool) -> None:
    assert is_slip(error) is slip


def test_an_error_in_a_node_is_of_the_line_and_a_known_one_is_told_as_it_is() -> None:
    assert "Print it there" in in_a_node("quorum.py, line 3: TypeError: ask_to_keep takes a Version")
    assert "`n` is not known" in in_a_node("quorum.py, line 3: NameError: name 'n' is not defined")
    assert in_a_node("quorum.py, line 3: ValueError: 3") == ""


def prints(held: int) -> None:
    print(held)


def finds_nothing(held: int) -> int | None:
    if held < 0:
        return held
    return None


def one_by_one(held: int) -> Iterator[int]:
    yield held


def test_a_method_without_a_way_out_with_a_value_is_told_so_and_one_that_found_nothing_is_not() -> None:
    assert returned(prints, None) == "nothing is returned: there is no `return` with a value in prints."
    assert returned(finds_nothing, None) == ""
    assert returned(dict[str, int]().get, None) == "", "its source cannot be read"
    assert "generator" in returned(one_by_one, one_by_one(1))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("class Store:\n    def __init__(self, held={}):\n        pass", "line 2: held={} is made once"),
        ("def f(a, *, seen=set()):\n    pass", "line 1: seen=set() is made once"),
        ("def f(a, b=1, order=OrderedDict()):\n    pass", "Write order=None"),
        (
            "class Store:\n    held: dict = {}\n    def put(self, k):\n        self.held[k] = 1",
            "line 2: held is made once and belongs to the class Store",
        ),
        (
            "class Store:\n    order = []\n    def put(self, k):\n        self.order.append(k)",
            "as self.order.",
        ),
        ("class Store:\n    WHY = {'put': 1}\n    def put(self, k):\n        return self.WHY[k]", ""),
        (
            "class Store:\n    held = {}\n    def __init__(self):\n        self.held = {}\n"
            "    def put(self, k):\n        self.held[k] = 1",
            "",
        ),
        ("def f(a, b=None, c=(1, 2)):\n    held = {}", ""),
        ("def (", ""),
    ],
)
def test_what_all_objects_share_is_found_where_it_is_made(text: str, said: str) -> None:
    assert said in shared(text)
    assert bool(said) == bool(shared(text))
