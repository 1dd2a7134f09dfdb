"""The table of commands: what each is called, takes and does; and what is said of those that are not in it.

`known` and `learn` lead from a name, as the client wrote it, to its handler. COMMAND, CLIENT HELP and
KV.HELP are drawn from the same table, so that they cannot say anything else than what is done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from kvlab.world.process import resp_admin as admin
from kvlab.world.process import resp_data as data
from kvlab.world.process import resp_kv as kv
from kvlab.world.process.resp_replies import (
    EMPTY_ARRAY,
    SHOWN_BYTES_MAX,
    Complaint,
    array,
    bulk,
    bulks,
    integer,
    text_of,
)
from kvlab.world.process.resp_session import Answered, Session

Handler: TypeAlias = Callable[[Session, list[bytes]], Answered]

MANY = 2**31


class Command(msgspec.Struct, frozen=True):
    """One row. `arity` counts as Redis does, the name included; -3 means three or more."""

    name: str
    handler: Handler
    arity: int
    summary: str
    flags: str = ""
    keys: tuple[int, int, int] = (0, 0, 0)  # the first argument that is a key, the last (or -1), the step
    group: str = "connection"
    arguments: str = ""  # as a person would write them
    most: int = MANY  # the most arguments, the name included; Redis leaves that to each command
    least: int = 0

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "least", abs(self.arity))
        if self.arity > 0:
            msgspec.structs.force_setattr(self, "most", self.arity)


def wrong_arity(name: str) -> Complaint:
    return Complaint(f"ERR wrong number of arguments for '{name}' command")


def _containing(name: str, *subcommands: Command) -> Handler:
    """The handler of a command whose second word says what to do."""
    table = {sub.name.encode(): sub for sub in subcommands}
    lines = [f"{name.upper()} <subcommand> [<arg> ...]. Subcommands are:"]
    for sub in subcommands:
        lines += [f"{sub.name.upper()} {sub.arguments}".rstrip(), f"    {sub.summary}"]

    def handle(session: Session, args: list[bytes]) -> Answered:
        word = args[1].lower()
        if word == b"help" and len(args) == 2:
            return bulks(lines)
        sub = table.get(word)
        if sub is None:
            raise Complaint(f"ERR unknown subcommand '{text_of(args[1])}'. Try {name.upper()} HELP.")
        if not sub.least <= len(args) <= sub.most:
            raise wrong_arity(f"{name}|{sub.name}")
        return sub.handler(session, args)

    return handle


# -- COMMAND -------------------------------------------------------------------------------------


def command(session: Session, args: list[bytes]) -> Answered:
    """COMMAND alone: a row for every command."""
    if len(args) == 1:
        return array([_described(session, row) for row in TABLE])
    return _command_about(session, args)


def command_count(session: Session, args: list[bytes]) -> bytes:
    return integer(len(TABLE))


def command_list(session: Session, args: list[bytes]) -> bytes:
    return bulks([row.name for row in TABLE])


def command_info(session: Session, args: list[bytes]) -> bytes:
    rows = [find(name) for name in args[2:]] if len(args) > 2 else list(TABLE)
    return array([session.nil if row is None else _described(session, row) for row in rows])


def command_docs(session: Session, args: list[bytes]) -> bytes:
    rows = [find(name) for name in args[2:]] if len(args) > 2 else list(TABLE)
    docs = {
        row.name: session.wire.map(
            {"summary": bulk(row.summary), "since": bulk("1.0.0"), "group": bulk(row.group)}
        )
        for row in rows
        if row is not None
    }
    return session.wire.map(docs)


def command_getkeys(session: Session, args: list[bytes]) -> bytes:
    row = find(args[2])
    words = args[2:]
    if row is None:
        raise Complaint("ERR Invalid command specified")
    if row.keys == NO_KEYS:
        raise Complaint("ERR The command has no key arguments")
    if not row.least <= len(words) <= row.most:
        raise Complaint("ERR Invalid number of arguments specified for command")
    first, last, step = row.keys
    return bulks(words[first : len(words) if last < 0 else last + 1 : step])


def _described(session: Session, row: Command) -> bytes:
    """The ten things that Redis 7 tells of a command; the last three it may leave empty, and we do."""
    flags = row.flags.split()
    categories = ["@read"] if "readonly" in flags else ["@write"] if "write" in flags else []
    categories += [f"@{row.group}", "@fast" if "fast" in flags else "@slow"]
    first, last, step = row.keys
    return array(
        [
            bulk(row.name),
            integer(row.arity),
            session.wire.flags(flags),
            integer(first),
            integer(last),
            integer(step),
            session.wire.flags(categories),
            EMPTY_ARRAY,
            EMPTY_ARRAY,
            EMPTY_ARRAY,
        ]
    )


def kv_help(session: Session, args: list[bytes]) -> bytes:
    """Our own commands, and where Redis' own mean something else than in Redis."""
    lines = [f"This is {session.host.me}, a node of {session.host.stage.title}. It also knows:"]
    for row in TABLE:
        if row.name.startswith("kv."):
            lines += [f"{row.name.upper()} {row.arguments}".rstrip(), f"    {row.summary}"]
    lines += [
        "KEYS, SCAN and DBSIZE speak of what this node itself holds, not of the cluster.",
        "-FAILED: certainly not written. -UNKNOWN: perhaps written; read before you write again.",
    ]
    if not session.host.stage.atomic:
        lines.append("INCR, EXPIRE, SET NX and the like need one place that decides: only stage 1 has them.")
    return bulks(lines)


# -- the table -----------------------------------------------------------------------------------

NO_KEYS, ONE_KEY, ALL_KEYS, PAIRS = (0, 0, 0), (1, 1, 1), (1, -1, 1), (1, -1, 2)

_CLIENT = _containing(
    "client",
    Command("id", admin.client_id, 2, "The number of this connection."),
    Command("getname", admin.client_getname, 2, "The name of this connection."),
    Command("setname", admin.client_setname, 3, "Give this connection a name.", arguments="<name>"),
    Command("setinfo", admin.client_setinfo, 4, "Say which library is speaking.", arguments="<attr> <value>"),
    Command("info", admin.client_info, 2, "What is known of this connection."),
    Command("list", admin.client_list, -2, "What is known of every connection.", arguments="[TYPE <type>]"),
    Command("no-evict", admin.client_on_off, 3, "Taken, without effect.", arguments="(ON|OFF)"),
    Command("no-touch", admin.client_on_off, 3, "Taken, without effect.", arguments="(ON|OFF)"),
)
_CONFIG = _containing(
    "config",
    Command(
        "get", admin.config_get, -3, "The settings whose names match.", arguments="<pattern> ...", most=34
    ),
    Command("set", admin.config_set, -4, "Refused: settings do not change.", arguments="<name> <value> ..."),
)
_command_about = _containing(
    "command",
    Command("count", command_count, 2, "How many commands there are."),
    Command("docs", command_docs, -2, "What commands are for.", arguments="[<name> ...]"),
    Command("info", command_info, -2, "What commands take.", arguments="[<name> ...]"),
    Command("list", command_list, -2, "The names of all commands."),
    Command("getkeys", command_getkeys, -4, "Which words are keys.", arguments="<command> [<arg> ...]"),
)

_READ, _WRITE, _COUNT = "readonly fast", "write", "write denyoom fast"
_TALK = "noscript loading stale fast"

TABLE = (
    Command("get", data.get, 2, "Read a key.", _READ, ONE_KEY, "string", "key"),
    Command(
        "set",
        data.set_,
        -3,
        "Write a key.",
        "write denyoom",
        ONE_KEY,
        "string",
        "key value [NX|XX] [GET] [EX s|PX ms|EXAT s|PXAT ms|KEEPTTL]",
    ),
    Command("mget", data.mget, -2, "Read several keys.", _READ, ALL_KEYS, "string", "key [key ...]"),
    Command(
        "mset", data.mset, -3, "Write several keys.", "write denyoom", PAIRS, "string", "key value [...]"
    ),
    Command("del", data.delete, -2, "Delete keys.", _WRITE, ALL_KEYS, "generic", "key [key ...]"),
    Command(
        "exists",
        data.exists,
        -2,
        "How many of these keys there are.",
        _READ,
        ALL_KEYS,
        "generic",
        "key [key ...]",
    ),
    Command("incr", data.incr, 2, "Add one to a number.", _COUNT, ONE_KEY, "string", "key"),
    Command("decr", data.decr, 2, "Take one from a number.", _COUNT, ONE_KEY, "string", "key"),
    Command("incrby", data.incrby, 3, "Add to a number.", _COUNT, ONE_KEY, "string", "key increment"),
    Command("decrby", data.decrby, 3, "Take from a number.", _COUNT, ONE_KEY, "string", "key decrement"),
    Command(
        "expire",
        data.expire,
        -3,
        "Let a key live so many seconds.",
        "write fast",
        ONE_KEY,
        "generic",
        "key seconds [NX|XX|GT|LT]",
    ),
    Command(
        "pexpire",
        data.pexpire,
        -3,
        "Let a key live so many milliseconds.",
        "write fast",
        ONE_KEY,
        "generic",
        "key milliseconds [NX|XX|GT|LT]",
    ),
    Command("ttl", data.ttl, 2, "How many seconds a key will live.", _READ, ONE_KEY, "generic", "key"),
    Command("pttl", data.pttl, 2, "How many milliseconds a key will live.", _READ, ONE_KEY, "generic", "key"),
    Command("persist", data.persist, 2, "Let a key live for ever.", "write fast", ONE_KEY, "generic", "key"),
    Command("type", data.type_, 2, "string, or none.", _READ, ONE_KEY, "generic", "key"),
    Command("keys", data.keys, 2, "This node's keys that match.", "readonly", NO_KEYS, "generic", "pattern"),
    Command(
        "scan",
        data.scan,
        -2,
        "This node's keys, a few at a time.",
        "readonly",
        NO_KEYS,
        "generic",
        "cursor [MATCH pattern] [COUNT count] [TYPE type]",
    ),
    Command("dbsize", data.dbsize, 1, "How many keys this node holds.", _READ, NO_KEYS, "server"),
    Command(
        "flushall",
        data.flushall,
        -1,
        "Delete every key (stage 1).",
        _WRITE,
        NO_KEYS,
        "server",
        "[ASYNC|SYNC]",
    ),
    Command("ping", admin.ping, -1, "Is anybody there?", "fast", NO_KEYS, "connection", "[message]", 2),
    Command("echo", admin.echo, 2, "The same again.", "loading stale fast", NO_KEYS, "connection", "message"),
    Command(
        "info",
        admin.info,
        -1,
        "What this node is and does.",
        "loading stale",
        NO_KEYS,
        "server",
        "[section ...]",
    ),
    Command(
        "hello",
        admin.hello,
        -1,
        "Agree on the protocol's version.",
        f"{_TALK} no_auth allow_busy",
        NO_KEYS,
        "connection",
        "[2|3 [SETNAME name]]",
    ),
    Command("client", _CLIENT, -2, "About connections.", "", NO_KEYS, "connection", "subcommand"),
    Command("command", command, -1, "About commands.", "loading stale", NO_KEYS, "server", "[subcommand]"),
    Command("config", _CONFIG, -2, "About settings.", "", NO_KEYS, "server", "subcommand"),
    Command(
        "select",
        admin.select,
        2,
        "Choose a database: there is only 0.",
        "loading stale fast",
        NO_KEYS,
        "connection",
        "0",
    ),
    Command("quit", admin.quit_, -1, "Goodbye.", f"{_TALK} no_auth allow_busy", NO_KEYS, "connection"),
    Command(
        "kv.get",
        kv.kv_get,
        -2,
        "The context and every value (siblings are several).",
        _READ,
        ONE_KEY,
        "kv",
        "key [R replicas]",
    ),
    Command(
        "kv.put",
        kv.kv_put,
        -3,
        "Write; W replicas have to confirm.",
        "write denyoom",
        ONE_KEY,
        "kv",
        "key value [W replicas] [CONTEXT context]",
    ),
    Command(
        "kv.del",
        kv.kv_del,
        -2,
        "Delete; W replicas have to confirm.",
        _WRITE,
        ONE_KEY,
        "kv",
        "key [W replicas] [CONTEXT context]",
    ),
    Command(
        "kv.where",
        kv.kv_where,
        2,
        "The nodes that hold a key, in preference order.",
        _READ,
        ONE_KEY,
        "kv",
        "key",
    ),
    Command(
        "kv.ring", kv.kv_ring, 1, "The ring: epoch, and each node's tokens and share.", _READ, NO_KEYS, "kv"
    ),
    Command("kv.members", kv.kv_members, 1, "The members: zones and weights.", _READ, NO_KEYS, "kv"),
    Command("kv.hints", kv.kv_hints, 1, "The hints that this node keeps, by owner.", _READ, NO_KEYS, "kv"),
    Command("kv.state", kv.kv_state, 1, "This node: name, stage, keys, bytes, clock.", _READ, NO_KEYS, "kv"),
    Command("kv.help", kv_help, 1, "These lines.", _READ, NO_KEYS, "kv"),
)

_TRANSACTIONS = (
    "ERR transactions are not to be had: a node decides on each key by itself, and nothing makes several "
    "writes one. Send the commands one by one (a pipeline saves the waiting)"
)
REFUSED = {
    **dict.fromkeys((b"MULTI", b"EXEC", b"DISCARD", b"WATCH", b"UNWATCH"), _TRANSACTIONS),
    b"AUTH": "ERR there are no users and passwords here: connect without AUTH",
}

_by_name = {row.name.upper().encode(): row for row in TABLE}
known: dict[bytes, tuple[Handler, int, int]] = {}
"""What `_run` in resp.py has to know, by the names that clients have used, each in its own mixture of cases:
the handler, the fewest words and the most. At most a few hundred spellings of a name."""


def find(name: bytes) -> Command | None:
    """The row of this name, in whatever case it is written."""
    return _by_name.get(name.upper())


def learn(args: list[bytes]) -> tuple[Handler, int, int]:
    """Make the command's name `known`. Raises Complaint if there is no such command."""
    row = find(args[0])
    if row is None:
        raise _unknown(args)
    known[args[0]] = row.handler, row.least, row.most
    return known[args[0]]


def _unknown(args: list[bytes]) -> Complaint:
    """What to say to a command that is not in the table; Redis' words, and a guess at what was meant."""
    name = args[0].upper()
    if name in REFUSED:
        return Complaint(REFUSED[name])
    beginning = ""
    for arg in args[1:]:
        if len(beginning) >= SHOWN_BYTES_MAX:
            break
        beginning += f"'{text_of(arg[: SHOWN_BYTES_MAX - len(beginning)])}' "
    text = f"ERR unknown command '{text_of(args[0])}', with args beginning with: {beginning}"
    from difflib import get_close_matches  # hardly any node is asked for it, and each start counts

    names = [row.name.upper() for row in TABLE if row.name.lower() != "flushall"]  # no slip to help along
    if len(name) <= 16 and (close := get_close_matches(text_of(name), names, 1)):
        text += f"; did you mean {close[0]}?"
    return Complaint(text)
