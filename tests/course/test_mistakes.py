"""What is told of an error that Python raises in the reader's file."""

from __future__ import annotations

import pytest

from kvlab.course.mistakes import likely


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
        ("AttributeError: 'Fetched' object has no attribute 'version'", "the fields of a Fetched are: copy."),
        ("ValueError: 3", ""),
    ],
)
def test_an_error_of_pythons_is_told_in_the_readers_terms(error: str, said: str) -> None:
    assert said in likely(error)
    assert bool(said) == bool(likely(error))
