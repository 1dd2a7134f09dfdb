"""The words of one line, taken from the left, each checked for what it is meant to be."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import NoReturn

from kvlab.script.conditions import Home, NodeName, NodeRef, Outside
from kvlab.script.words import OPERATORS, Misread, Word, quoted, to_bytes

DURATION_MAX_MS = 24 * 3_600_000

_UNIT_MS = {"ms": 1, "s": 1000, "m": 60_000}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m)")
_UNIT_BYTES = {"": 1, "kb": 1024, "mb": 1024**2, "gb": 1024**3}
_SIZE = re.compile(r"([0-9]{1,12})(kb|mb|gb|)")
_NUMBER = re.compile(r"[0-9]{1,12}")
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,2})?)%")
_NODE = re.compile(r"n[1-9][0-9]{0,5}")
_PLACE = re.compile(r"(.*)#([0-9]{1,3}|out)", re.DOTALL)


class Reader:
    """The words of one line, taken from the left. Everything here raises Misread."""

    def __init__(self, line: str, words: Sequence[Word]) -> None:
        self.words = list(words)
        self.at = 0
        self.end_of_line = words[-1].end if words else len(line)
        self.usage = ""
        self.seen: set[str] = set()

    def peek(self) -> Word | None:
        """The next word, if there is one."""
        return self.words[self.at] if self.at < len(self.words) else None

    def take(self, expected: str) -> Word:
        """The next word, whatever it is."""
        word = self.peek()
        if word is None:
            self.fail(f"expected {expected} here, and the line ends")
        self.at += 1
        return word

    def fail(self, message: str, word: Word | None = None) -> NoReturn:
        """Raise Misread at this word, or at the end of the line."""
        start, end = (word.start, word.end) if word else (self.end_of_line, self.end_of_line + 1)
        raise Misread(message, start, max(end, start + 1), self.usage)

    def wrong(self, expected: str, word: Word, names: Sequence[str] = ()) -> NoReturn:
        """Raise Misread: this was expected, that came; perhaps one of `names` was meant."""
        close = difflib.get_close_matches(word.text[:40], names, n=1)
        meant = f"; did you mean {close[0].rstrip('=')}?" if close else ""
        self.fail(f"expected {expected}, not {shortened(word)}{meant}", word)

    def accept(self, *keywords: str) -> bool:
        """Take the next word if it is one of these, and not in quotes."""
        word = self.peek()
        if word is None or not word.is_bare(*keywords):
            return False
        self.at += 1
        return True

    def require(self, *keywords: str) -> str:
        """Take the next word, which must be one of these."""
        expected = " or ".join(f"`{keyword}`" for keyword in keywords)
        word = self.take(expected)
        if not word.is_bare(*keywords):
            self.wrong(expected, word, keywords)
        return word.text

    def done(self) -> None:
        """There must be no more words."""
        if word := self.peek():
            self.wrong("the end of the line", word)

    def option(self, *names: str) -> str | None:
        """The next option, None at the end of the line; each may stand once.

        A name that ends in `=` is written `name=value`; its value becomes the next word.
        """
        word = self.peek()
        if word is None:
            return None
        name = "" if word.quoted and "=" not in word.text else word.text
        if "=" in name:
            name = name[: name.index("=") + 1]
        if name not in names:
            listed = ", ".join(name + ("..." if name.endswith("=") else "") for name in names)
            self.wrong(f"one of {listed}, or the end of the line", word, names)
        if name in self.seen:
            self.fail(f"`{name.rstrip('=')}` stands here twice", word)
        self.seen.add(name)
        if name.endswith("="):
            if word.end == word.start + len(name):
                self.fail(f"expected a value after `{name}`", word)
            self.words[self.at] = Word(
                word.text[len(name) :], min(word.start + len(name), word.end), word.end, word.quoted
            )
        else:
            self.at += 1
        return name

    # -- what a word can be ----------------------------------------------------------------------

    def key(self) -> bytes:
        word = self.take("a key")
        if not word.text:
            self.fail("a key cannot be empty", word)
        return to_bytes(word.text)

    def value(self) -> bytes:
        return to_bytes(self.take("a value").text)

    def text(self, expected: str) -> str:
        word = self.take(expected)
        try:
            return to_bytes(word.text).decode()
        except UnicodeDecodeError:
            self.fail("expected text in UTF-8, and these bytes are not", word)

    def node(self) -> NodeRef:
        expected = "a node, such as n1, cart:42#2 or cart:42#out"
        word = self.take(expected)
        if _NODE.fullmatch(word.text):
            return NodeName(word.text)
        match = _PLACE.fullmatch(word.text)
        if match is None or not match[1]:
            self.wrong(expected, word)
        key = to_bytes(match[1])
        if match[2] == "out":
            return Outside(key)
        if int(match[2]) == 0:
            self.fail("home replicas are counted from 1: the first is #1", word)
        return Home(key, int(match[2]))

    def number(self, low: int = 0, high: int = 10**12) -> int:
        expected = f"a whole number, {low} to {high}" if high < 10**12 else f"a whole number, {low} or more"
        word = self.take(expected)
        if not _NUMBER.fullmatch(word.text) or not low <= int(word.text) <= high:
            self.wrong(expected, word)
        return int(word.text)

    def choice(self, *names: str) -> str:
        word = self.take("one of " + ", ".join(names))
        if word.text not in names:
            self.wrong(f"one of {', '.join(names)}", word, names)
        return word.text

    def duration(self, low: int = 1) -> int:
        """Milliseconds."""
        word = self.take("a duration, such as 2s or 80ms")
        return self.milliseconds(word.text, word, low)

    def milliseconds(self, text: str, word: Word, low: int) -> int:
        """The whole milliseconds that this part of a word means."""
        match = _DURATION.fullmatch(text)
        if match is None:
            hint = "; the unit is missing" if _NUMBER.fullmatch(text) else ""
            self.wrong(f"a duration, such as 2s, 80ms or 1m{hint}", word)
        ms = Fraction(match[1]) * _UNIT_MS[match[2]]
        if ms.denominator != 1 or not low <= ms <= DURATION_MAX_MS:
            longest = DURATION_MAX_MS // 60_000
            self.wrong(f"a duration of whole milliseconds, {low}ms to {longest}m", word)
        return int(ms)

    def size(self) -> int:
        """Bytes."""
        word = self.take("a number of bytes, such as 65536 or 64kb")
        match = _SIZE.fullmatch(word.text.lower())
        if match is None:
            self.wrong("a number of bytes, such as 65536, 64kb or 1mb", word)
        return int(match[1]) * _UNIT_BYTES[match[2]]

    def percent(self) -> float:
        word = self.take("a percentage, such as 10%")
        match = _PERCENT.fullmatch(word.text)
        if match is None or float(match[1]) > 100:
            self.wrong("a percentage from 0% to 100%", word)
        return float(match[1])

    def operator(self, *operators: str) -> str:
        expected = " ".join(operators)
        word = self.take(f"a comparison ({expected})")
        if not word.is_bare(*operators):
            if not word.quoted and any(operator in word.text for operator in OPERATORS):
                if word.text in OPERATORS:
                    self.fail(f"`{word.text}` makes no sense here; expected {expected}", word)
                self.fail("expected spaces around the comparison, as in: get cart:42 = milk", word)
            self.wrong(f"a comparison ({expected})", word)
        return word.text

    def values(self) -> tuple[bytes, ...]:
        """One value or more, or the bare word `missing`: ()."""
        if self.accept("missing"):
            return ()
        values = [self.value()]
        while (word := self.peek()) and not word.is_bare("within"):
            if word.is_bare("missing"):
                self.fail("`missing` stands alone; in quotes, it is a value", word)
            values.append(self.value())
        return tuple(values)


def shortened(word: Word) -> str:
    """The word, as a message shows it."""
    return quoted(word.text if len(word.text) <= 40 else word.text[:40] + "...")
