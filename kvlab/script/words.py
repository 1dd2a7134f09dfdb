"""A line of a script as words, each with its column, so that an error can point at it.

Quotes as in a shell: 'all literal', "with \\" \\\\ \\n \\t and \\xHH for a byte", and a backslash outside
quotes takes the next character literally. `#` begins a comment at the start of a word, never inside one:
`cart:42#1` names a node.

A word's text is str. A byte that is not UTF-8, written \\xHH, stands in it as Python's surrogateescape
has it, so that `to_bytes` gives back exactly the bytes that were meant.
"""

from __future__ import annotations

import re

import msgspec

OPERATORS = ("=", "!=", "<", "<=", ">", ">=")

RESERVED = frozenset(
    (
        *OPERATORS,
        "|",
        "get",
        "siblings",
        "replicas",
        "hints",
        "keys",
        "repairs",
        "overwritten",
        "result",
        "missing",
        "within",
        "via",
    )
)
"""Words that mean something where a key or a value may stand: quoted, they are a key or a value."""

_PLAIN = re.compile(r"(?!#)[\w.:/@%+*&,;$^?()\[\]{}#-]+")
_HEX = re.compile(r"[0-9a-fA-F]{2}")
_CURLY = "\u201c\u201d\u201e\u00ab\u2018\u2019"  # the quotes that a word processor makes


class Misread(Exception):
    """Columns `start` to `end` of the line are not what was expected there; `usage` is what would be."""

    def __init__(self, message: str, start: int, end: int, usage: str = "") -> None:
        super().__init__(message)
        self.message, self.start, self.end, self.usage = message, start, end, usage


class Word(msgspec.Struct, frozen=True):
    """One word: columns count from 0, `end` is the first one after it."""

    text: str
    start: int
    end: int
    quoted: bool = False

    def is_bare(self, *words: str) -> bool:
        """Whether it is one of these, and not in quotes."""
        return not self.quoted and self.text in words


def split(line: str) -> list[Word]:
    """The words of one line, without its comment. Raises Misread."""
    words = []
    at = 0
    while at < len(line):
        if line[at] in " \t":
            at += 1
        elif line[at] == "#":
            break
        else:
            word = _word(line, at)
            words.append(word)
            at = word.end
    return words


def _word(line: str, start: int) -> Word:
    """The word that begins at this column: bare and quoted pieces, joined."""
    if line[start] in _CURLY:
        raise Misread(f'{line[start]} is a curly quote; use a straight one: "', start, start + 1)
    text: list[str] = []
    quoted = False
    at = start
    while at < len(line) and line[at] not in " \t":
        character = line[at]
        if character in "'\"":
            piece, at = _quoted_piece(line, at)
            text.append(piece)
            quoted = True
        elif character == "\\":
            if at + 1 == len(line):
                raise Misread("a backslash takes the next character literally, and none follows", at, at + 1)
            text.append(_meaningful(line, at + 1))
            quoted = True
            at += 2
        elif not _meaningful(line, at).isprintable():
            unseen = f"the character U+{ord(character):04X} cannot be seen"
            raise Misread(f"{unseen}; remove it, or put it in quotes", at, at + 1)
        else:
            text.append(character)
            at += 1
    return Word("".join(text), start, at, quoted)


def _quoted_piece(line: str, start: int) -> tuple[str, int]:
    """What stands between this quote and its partner, and the column after that."""
    quote = line[start]
    text: list[str] = []
    at = start + 1
    while at < len(line):
        if line[at] == quote:
            return "".join(text), at + 1
        if line[at] == "\\" and quote == '"':
            piece, at = _escape(line, at)
            text.append(piece)
        else:
            text.append(_meaningful(line, at))
            at += 1
    raise Misread(f"this quote is never closed; expected another {quote}", start, len(line))


def _escape(line: str, at: int) -> tuple[str, int]:
    """The character that a backslash in double quotes stands for, and the column after it."""
    following = line[at + 1 : at + 2]
    simple = {'"': '"', "\\": "\\", "n": "\n", "t": "\t"}
    if following in simple:
        return simple[following], at + 2
    if following == "x":
        digits = line[at + 2 : at + 4]
        if not _HEX.fullmatch(digits):
            raise Misread("\\x needs two hexadecimal digits, as in \\x0a", at, at + 2)
        return bytes([int(digits, 16)]).decode("utf-8", "surrogateescape"), at + 4
    return "\\", at + 1  # as in a shell: a backslash before anything else is itself


def _meaningful(line: str, at: int) -> str:
    """The character there. Raises Misread for half a character (a lone surrogate), which is no text."""
    if "\ud800" <= line[at] <= "\udfff":
        raise Misread("this is not a character in UTF-8; write a byte as \\xHH in double quotes", at, at + 1)
    return line[at]


def to_bytes(text: str) -> bytes:
    """The bytes that a word stands for."""
    return text.encode("utf-8", "surrogateescape")


def quoted(data: bytes | str) -> str:
    """Write bytes or text so that it reads as one word, in quotes only where it must be."""
    text = data.decode("utf-8", "surrogateescape") if isinstance(data, bytes) else data
    if _PLAIN.fullmatch(text) and text not in RESERVED:
        return text
    return in_quotes(text)


def in_quotes(text: str) -> str:
    """Write text in double quotes."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    named = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
    if character in named:
        return named[character]
    if character.isprintable():
        return character
    return "".join(f"\\x{byte:02x}" for byte in to_bytes(character))
