"""The commands about keys and values: GET, SET, DEL, INCR, EXPIRE, KEYS, SCAN and their kin.

Two kinds. Those that only read, or only write, are coordinated by any node of any stage. Those that read
and then write what follows from it (INCR, SET NX, EXPIRE ...) are honest only where nothing can come
between, in one process that does not wait: `require_atomic` refuses them elsewhere, and says why.

KEYS, SCAN, DBSIZE and FLUSHALL are about what this node itself holds: no Dynamo-style store has a list
of all its keys anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from kvlab.errors import OperationError, Outcome
from kvlab.messages import Copy, Item
from kvlab.world.process.resp_numbers import INT64_MAX, INT64_MIN, glob, integer_of, moment
from kvlab.world.process.resp_parser import REQUEST_BYTES_MAX
from kvlab.world.process.resp_replies import (
    EMPTY_ARRAY,
    OK,
    Complaint,
    array,
    bulk,
    bulks,
    integer,
    simple,
    text_of,
)
from kvlab.world.process.resp_session import Session

SYNTAX = "ERR syntax error"
SCAN_COUNT_MAX = 10_000
"""The most keys that one SCAN returns, whatever COUNT it gives."""
REPLY_BYTES_MAX = REQUEST_BYTES_MAX
"""The most that the values of one MGET may hold together: it can name the largest one a million times."""


def require_atomic(session: Session, doing: str) -> None:
    """Raise Complaint unless this stage can read and then write with nothing in between."""
    if not session.host.stage.atomic:
        raise Complaint(
            f"ERR {doing} reads and then writes, and between the two another coordinator may write: without "
            f"consensus no node can rule that out, so {session.host.stage.title} does not pretend to. "
            "Stage 1 can: there, all data is in one process"
        )


class PartlyDone(OperationError):
    """A command about several keys broke off after some were written."""

    outcome = Outcome.UNKNOWN


def partly(error: OperationError, done: int, total: int) -> OperationError:
    """What to say when the write of one key of several fails: earlier ones stay written."""
    if done == 0:
        return error
    return PartlyDone(f"{done} of {total} keys are written, the next is not: {error}")


# -- one key -------------------------------------------------------------------------------------


def only(copy: Copy | None) -> bytes | None:
    """The value of this copy, None if there is none. Raises Complaint for siblings."""
    values = () if copy is None else copy.values
    if len(values) > 1:
        raise Complaint(
            f"SIBLINGS {len(values)} values were written and none of the writers had seen another's. "
            "KV.GET shows them all; what you SET after that replaces them"
        )
    return values[0] if values else None


async def get(session: Session, args: list[bytes]) -> bytes:
    value = only(await session.get(args[1]))
    return session.nil if value is None else bulk(value)


async def set_(session: Session, args: list[bytes]) -> bytes:
    if len(args) == 3:
        await session.put(args[1], Item(args[2]))
        return OK
    options = SetOptions(args[3:], session.host.now_ms())
    if not options.needs_old:
        await session.put(args[1], Item(args[2], options.expires_ms))
        return OK
    require_atomic(session, f"SET with {options.needs_old}")
    old = await _item(session, args[1])
    refused = (options.only_new and old is not None) or (options.only_existing and old is None)
    if not refused:
        expires_ms = old.expires_ms if options.keep_ttl and old is not None else options.expires_ms
        await session.put(args[1], Item(args[2], expires_ms))
    if options.get:
        return session.nil if old is None else bulk(old.value)
    return session.nil if refused else OK


# The options that set an expiry: the unit in ms, and whether it counts from now on.
_UNITS = {b"EX": (1000, True), b"PX": (1, True), b"EXAT": (1000, False), b"PXAT": (1, False)}


class SetOptions:
    """What may follow SET key value: EX PX EXAT PXAT, NX XX, GET, KEEPTTL."""

    def __init__(self, words: Sequence[bytes], now_ms: int) -> None:
        self.expires_ms: int | None = None
        self.only_new = self.only_existing = self.get = self.keep_ttl = False
        expiry: tuple[bytes, bytes] | None = None
        rest = iter(words)
        for word in rest:
            option = word.upper()
            if option == b"NX" and not self.only_existing:
                self.only_new = True
            elif option == b"XX" and not self.only_new:
                self.only_existing = True
            elif option == b"GET":
                self.get = True
            elif option == b"KEEPTTL" and expiry is None:
                self.keep_ttl = True
            elif option in _UNITS and expiry is None and not self.keep_ttl:
                amount = next(rest, None)
                if amount is None:
                    raise Complaint(SYNTAX)
                expiry = option, amount
            else:
                raise Complaint(SYNTAX)
        if expiry is not None:
            unit_ms, relative = _UNITS[expiry[0]]
            amount_given = integer_of(expiry[1])
            if amount_given <= 0:
                raise Complaint("ERR invalid expire time in 'set' command")
            self.expires_ms = moment(amount_given, unit_ms, now_ms if relative else 0, "set")

    @property
    def needs_old(self) -> str:
        """The option that asks for the value before, "" if none does."""
        asked = {"NX": self.only_new, "XX": self.only_existing, "GET": self.get, "KEEPTTL": self.keep_ttl}
        return next((name for name, wanted in asked.items() if wanted), "")


async def type_(session: Session, args: list[bytes]) -> bytes:
    return simple("string" if _exists(await session.get(args[1])) else "none")


# -- several keys --------------------------------------------------------------------------------


async def mget(session: Session, args: list[bytes]) -> bytes:
    replies, room = [], REPLY_BYTES_MAX
    for key in args[1:]:
        value = only(await session.get(key))
        room -= len(value or b"")
        if room < 0:
            raise Complaint(
                f"ERR the values hold more than {REPLY_BYTES_MAX} bytes together; ask for fewer keys at once"
            )
        replies.append(session.nil if value is None else bulk(value))
    return array(replies)


async def mset(session: Session, args: list[bytes]) -> bytes:
    """One write after the other: all or nothing only where no write can fail."""
    if len(args) % 2 == 0:
        raise Complaint("ERR wrong number of arguments for 'mset' command")
    pairs = list(zip(args[1::2], args[2::2], strict=True))
    for done, (key, value) in enumerate(pairs):
        try:
            await session.put(key, Item(value))
        except OperationError as error:
            raise partly(error, done, len(pairs)) from error
    return OK


async def delete(session: Session, args: list[bytes]) -> bytes:
    deleted = 0
    for done, key in enumerate(args[1:]):
        try:
            deleted += bool(await session.delete(key))
        except OperationError as error:
            raise partly(error, done, len(args) - 1) from error
    return integer(deleted)


async def exists(session: Session, args: list[bytes]) -> bytes:
    """A key named twice counts twice."""
    found = 0
    for key in args[1:]:
        found += _exists(await session.get(key))
    return integer(found)


def _exists(copy: Copy | None) -> bool:
    return copy is not None and copy.alive


# -- counting: read, then write ------------------------------------------------------------------


async def _item(session: Session, key: bytes) -> Item | None:
    """The old value, where a stage is atomic: such a one keeps Items."""
    return cast("Item | None", await session.get(key))


async def incr(session: Session, args: list[bytes]) -> bytes:
    return await _add(session, args, 1)


async def decr(session: Session, args: list[bytes]) -> bytes:
    return await _add(session, args, -1)


async def incrby(session: Session, args: list[bytes]) -> bytes:
    return await _add(session, args, integer_of(args[2]))


async def decrby(session: Session, args: list[bytes]) -> bytes:
    amount = integer_of(args[2])
    if amount == INT64_MIN:
        raise Complaint("ERR decrement would overflow")
    return await _add(session, args, -amount)


async def _add(session: Session, args: list[bytes], amount: int) -> bytes:
    require_atomic(session, args[0].decode().upper())
    key = args[1]
    old = await _item(session, key)
    total = amount if old is None else integer_of(old.value) + amount
    if not INT64_MIN <= total <= INT64_MAX:
        raise Complaint("ERR increment or decrement would overflow")
    await session.put(key, Item(b"%d" % total, None if old is None else old.expires_ms))
    return integer(total)


# -- expiry --------------------------------------------------------------------------------------


async def expire(session: Session, args: list[bytes]) -> bytes:
    return await _expire(session, args, 1000)


async def pexpire(session: Session, args: list[bytes]) -> bytes:
    return await _expire(session, args, 1)


async def _expire(session: Session, args: list[bytes], unit_ms: int) -> bytes:
    name = args[0].decode()
    require_atomic(session, name.upper())
    conditions = _expire_conditions(args[3:])
    now_ms = session.host.now_ms()
    expires_ms = moment(integer_of(args[2]), unit_ms, now_ms, name.lower())
    item = await _item(session, args[1])
    if item is None:
        return integer(0)
    before = item.expires_ms
    if (
        (b"NX" in conditions and before is not None)
        or (b"XX" in conditions and before is None)
        or (b"GT" in conditions and (before is None or expires_ms <= before))
        or (b"LT" in conditions and before is not None and expires_ms >= before)
    ):
        return integer(0)
    if expires_ms <= now_ms:
        await session.delete(args[1])
    else:
        await session.put(args[1], Item(item.value, expires_ms))
    return integer(1)


def _expire_conditions(words: Sequence[bytes]) -> set[bytes]:
    conditions = set()
    for word in words:
        if word.upper() not in (b"NX", b"XX", b"GT", b"LT"):
            raise Complaint(f"ERR Unsupported option {text_of(word)}")
        conditions.add(word.upper())
    if b"NX" in conditions and len(conditions) > 1:
        raise Complaint("ERR NX and XX, GT or LT options at the same time are not compatible")
    if {b"GT", b"LT"} <= conditions:
        raise Complaint("ERR GT and LT options at the same time are not compatible")
    return conditions


async def persist(session: Session, args: list[bytes]) -> bytes:
    require_atomic(session, "PERSIST")
    item = await _item(session, args[1])
    if item is None or item.expires_ms is None:
        return integer(0)
    await session.put(args[1], Item(item.value))
    return integer(1)


async def ttl(session: Session, args: list[bytes]) -> bytes:
    left_ms = await _left_ms(session, args[1])
    return integer(left_ms if left_ms < 0 else (left_ms + 500) // 1000)


async def pttl(session: Session, args: list[bytes]) -> bytes:
    return integer(await _left_ms(session, args[1]))


async def _left_ms(session: Session, key: bytes) -> int:
    """How long the key will live: -2 if there is none, -1 for ever."""
    copy = await session.get(key)
    if copy is None or not copy.alive:
        return -2
    return -1 if copy.expires_ms is None else max(copy.expires_ms - session.host.now_ms(), 0)


# -- what this node itself holds -----------------------------------------------------------------


def _own_keys(session: Session) -> list[bytes]:
    return session.host.node.store.living(session.host.now_ms())


def keys(session: Session, args: list[bytes]) -> bytes:
    matches = glob(args[1])
    return bulks([key for key in _own_keys(session) if matches(key)])


def scan(session: Session, args: list[bytes]) -> bytes:
    """Redis' promise holds: a key that is here from the first SCAN to the last is returned."""
    if not args[1].isdigit() or int(args[1]) > 2**64 - 1:
        raise Complaint("ERR invalid cursor")
    cursor, count = int(args[1]), 10
    matches = kind = None
    words = iter(args[2:])
    for word in words:
        option, value = word.upper(), next(words, None)
        if value is None:
            raise Complaint(SYNTAX)
        if option == b"COUNT":
            count = integer_of(value)
            if count < 1:
                raise Complaint(SYNTAX)
        elif option == b"MATCH":
            matches = glob(value)
        elif option == b"TYPE":
            kind = value.lower()
        else:
            raise Complaint(SYNTAX)
    count = min(count, SCAN_COUNT_MAX)
    scans = session.serving.scans
    cursor, found = scans.go_on(cursor, count) if cursor else scans.begin(_own_keys(session), count)
    if kind not in (None, b"string"):
        found = []
    if matches is not None:
        found = [key for key in found if matches(key)]
    return array([bulk(str(cursor)), bulks(found) if found else EMPTY_ARRAY])


def dbsize(session: Session, args: list[bytes]) -> bytes:
    return integer(len(session.host.node.store))


def flushall(session: Session, args: list[bytes]) -> bytes:
    if len(args) > 2 or (len(args) == 2 and args[1].upper() not in (b"ASYNC", b"SYNC")):
        raise Complaint(SYNTAX)
    if not session.host.stage.atomic:
        raise Complaint(
            "ERR FLUSHALL would empty this node only, and leave the cluster with keys half gone: "
            f"{session.host.stage.title} has no way to tell all nodes at one moment. "
            "Delete the keys with DEL, or start the cluster anew"
        )
    session.host.node.store.clear()
    return OK
