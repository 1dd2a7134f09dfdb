"""The commands about the connection and the server: PING, HELLO, CLIENT, CONFIG, INFO and their kin."""

from __future__ import annotations

import os
import time

import kvlab
from kvlab.world.process.resp_numbers import glob, integer_of
from kvlab.world.process.resp_replies import EMPTY_ARRAY, OK, Complaint, bulk, integer, text_of
from kvlab.world.process.resp_session import Session

REDIS_VERSION = "7.0.15"
"""The Redis whose behaviour and error texts these commands follow."""


def ping(session: Session, args: list[bytes]) -> bytes:
    return b"+PONG\r\n" if len(args) == 1 else bulk(args[1])


def echo(session: Session, args: list[bytes]) -> bytes:
    return bulk(args[1])


def quit_(session: Session, args: list[bytes]) -> bytes:
    session.leaving = True
    return OK


def select(session: Session, args: list[bytes]) -> bytes:
    if integer_of(args[1]) != 0:
        raise Complaint("ERR DB index is out of range")
    return OK


def hello(session: Session, args: list[bytes]) -> bytes:
    """HELLO [2|3 [SETNAME name]]: agree on the protocol's version; both see a map of who they speak to."""
    name = None
    if len(args) > 1:
        version = integer_of(args[1], "ERR Protocol version is not an integer or out of range")
        if version not in (2, 3):
            raise Complaint("NOPROTO unsupported protocol version")
        words = iter(args[2:])
        for word in words:
            option = word.upper()
            if option == b"AUTH" and next(words, None) is not None and next(words, None) is not None:
                raise Complaint("ERR there are no users and passwords here: connect without AUTH")
            if option != b"SETNAME" or (name := next(words, None)) is None:
                raise Complaint(f"ERR Syntax error in HELLO option '{text_of(word)}'")
        if name is not None:
            session.name = _client_name(name)
        session.speak(version)
    return session.wire.map(
        {
            "server": bulk("kvlab"),
            "version": bulk(kvlab.__version__),
            "proto": integer(session.wire.version),
            "id": integer(session.id),
            "mode": bulk("standalone"),  # a client takes "cluster" for Redis Cluster
            "role": bulk("master"),
            "modules": EMPTY_ARRAY,
        }
    )


# -- CLIENT --------------------------------------------------------------------------------------


def _client_name(name: bytes) -> str:
    if not all(0x21 <= byte <= 0x7E for byte in name):
        raise Complaint("ERR Client names cannot contain spaces, newlines or special characters.")
    return name.decode("ascii")


def client_id(session: Session, args: list[bytes]) -> bytes:
    return integer(session.id)


def client_getname(session: Session, args: list[bytes]) -> bytes:
    return bulk(session.name) if session.name else session.nil


def client_setname(session: Session, args: list[bytes]) -> bytes:
    session.name = _client_name(args[2])
    return OK


def client_setinfo(session: Session, args: list[bytes]) -> bytes:
    attribute = text_of(args[2]).lower()
    if attribute not in session.library:
        raise Complaint(f"ERR Unrecognized option '{text_of(args[2])}'")
    if not all(0x21 <= byte <= 0x7E for byte in args[3]):
        raise Complaint(f"ERR {attribute} cannot contain spaces, newlines or special characters.")
    session.library[attribute] = args[3].decode("ascii")
    return OK


def client_info(session: Session, args: list[bytes]) -> bytes:
    return session.wire.text(session.describe() + "\n")


def client_list(session: Session, args: list[bytes]) -> bytes:
    if len(args) not in (2, 4) or (len(args) == 4 and args[2].upper() != b"TYPE"):
        raise Complaint("ERR syntax error")
    if len(args) == 4 and args[3].lower() not in (b"normal", b"master", b"replica", b"pubsub"):
        raise Complaint(f"ERR Unknown client type '{text_of(args[3])}'")
    all_normal = len(args) == 2 or args[3].lower() == b"normal"
    sessions = session.serving.sessions.values() if all_normal else ()
    return session.wire.text("".join(one.describe() + "\n" for one in sessions))


def client_on_off(session: Session, args: list[bytes]) -> bytes:
    """NO-EVICT and NO-TOUCH: taken, and without effect, since clients are not evicted here."""
    if args[2].upper() not in (b"ON", b"OFF"):
        raise Complaint("ERR syntax error")
    return OK


# -- CONFIG and INFO -----------------------------------------------------------------------------


def config_get(session: Session, args: list[bytes]) -> bytes:
    config = session.host.config
    settings = {
        "save": "",
        "appendonly": "no",
        "maxmemory": str(config.memory_bytes or 0),
        "maxmemory-policy": "allkeys-lru" if config.memory_bytes else "noeviction",
        "databases": "1",
        "bind": "127.0.0.1",
        "port": str(session.serving.port),
    }
    patterns = [glob(pattern.lower()) for pattern in args[2:]]
    return session.wire.map(
        {
            name: bulk(value)
            for name, value in settings.items()
            if any(matches(name.encode()) for matches in patterns)
        }
    )


def config_set(session: Session, args: list[bytes]) -> bytes:
    raise Complaint("ERR CONFIG SET: a node is configured when its cluster is started, and not changed then")


def info(session: Session, args: list[bytes]) -> bytes:
    """INFO [section ...], in the lines that redis-cli and clients look for."""
    sections = _info_sections(session)
    wanted = [text_of(word).lower() for word in args[1:]] or ["default"]
    chosen = [
        f"# {name.capitalize()}\r\n" + "".join(f"{field}:{value}\r\n" for field, value in fields.items())
        for name, fields in sections.items()
        if name in wanted or {"all", "default", "everything"} & set(wanted)
    ]
    return session.wire.text("\r\n".join(chosen))


def _info_sections(session: Session) -> dict[str, dict[str, object]]:
    host, serving = session.host, session.serving
    keys = len(host.node.store)
    up_seconds = int(time.monotonic() - serving.started)
    return {
        "server": {
            "redis_version": REDIS_VERSION,
            "redis_mode": "standalone",
            "kvlab_version": kvlab.__version__,
            "process_id": os.getpid(),
            "tcp_port": serving.port,
            "uptime_in_seconds": up_seconds,
            "uptime_in_days": up_seconds // 86400,
        },
        "clients": {"connected_clients": len(serving.sessions), "blocked_clients": 0},
        "memory": {
            "used_memory": host.node.store.bytes,
            "used_memory_human": f"{host.node.store.bytes / 1024:.2f}K",
            "maxmemory": host.config.memory_bytes or 0,
        },
        "stats": {
            "total_connections_received": serving.accepted,
            "total_commands_processed": serving.commands,
        },
        "replication": {"role": "master", "connected_slaves": 0},
        "kvlab": {
            "node": host.me,
            "stage": host.stage.number,
            "stage_name": host.stage.name,
            "ring_epoch": host.ring.epoch,
            "members": ",".join(member.node for member in host.ring.members),
        },
        "keyspace": {"db0": f"keys={keys},expires=0,avg_ttl=0"} if keys else {},
    }
