"""The disk of a durable node: one SQLite file, written before anything is confirmed.

Every change is a transaction of its own, in the write-ahead log, and handed to the operating system before
`keep` returns. So what a node has confirmed survives its SIGKILL, whenever that comes. It does not survive
the machine losing power: for that each write would have to wait for the disk itself (`synchronous=FULL`),
which on a laptop takes a thousand times as long.

What the disk will not take (it is full) is refused, and the node holds on to what the disk has: were it to
hold the new copy, it would confirm it as known when it comes again, and lose it in a kill. Others may have
written the copy all the same, so to a client it is perhaps written.

Deviation: a database of which much more depends on a single write ends its process at the first such error.

The file is locked while the node lives: two clusters cannot have the same data.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from kvlab.errors import NotKept, UserError
from kvlab.messages import RingSpec
from kvlab.world.host import Past


class SqliteDisk:
    """Tables of bytes. Raises UserError when the file cannot be had."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with _opening(path), ExitStack() as undo:
            self._file = sqlite3.connect(path, isolation_level=None, timeout=0.5)
            undo.callback(self.close)
            self._file.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._file.execute("PRAGMA journal_mode = WAL")
            self._file.execute("PRAGMA synchronous = NORMAL")
            self._file.execute(
                "CREATE TABLE IF NOT EXISTS kept (name TEXT, key BLOB, data BLOB, PRIMARY KEY (name, key)) "
                "WITHOUT ROWID"
            )
            undo.pop_all()

    def keep(self, table: str, key: bytes, data: bytes | None) -> None:
        """Raises NotKept, and has then changed nothing."""
        try:
            if data is None:
                self._file.execute("DELETE FROM kept WHERE name = ? AND key = ?", (table, key))
            else:
                self._file.execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", (table, key, data))
        except sqlite3.DatabaseError as error:
            raise NotKept(
                f"cannot write to {self._path}: {error}; make room there, and write again"
            ) from error

    def kept(self, table: str) -> dict[bytes, bytes]:
        return dict(self._file.execute("SELECT key, data FROM kept WHERE name = ?", (table,)))

    def row(self, table: str, key: bytes) -> bytes | None:
        found = self._file.execute(
            "SELECT data FROM kept WHERE name = ? AND key = ?", (table, key)
        ).fetchone()
        return None if found is None else bytes(found[0])

    def close(self) -> None:
        self._file.close()


def left_behind(path: Path) -> tuple[Past | None, RingSpec | None]:
    """What the file says of its node's cluster. Raises UserError if it is locked, or no file of ours."""
    disk = SqliteDisk(path)
    try:
        node = disk.kept("node")
        past, ring = node.get(b"past"), node.get(b"ring")
        return (
            msgspec.msgpack.decode(past, type=Past) if past else None,
            msgspec.msgpack.decode(ring, type=RingSpec) if ring else None,
        )
    except (sqlite3.DatabaseError, msgspec.MsgspecError) as error:
        raise UserError(f"cannot read the data in {path}: {error}; choose another --data-dir") from error
    finally:
        disk.close()


@contextmanager
def _opening(path: Path) -> Iterator[None]:
    """Tell whoever started the cluster why the file cannot be had."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise UserError(f"cannot keep data in {path}: {_in_words(error)}") from error


def _in_words(error: sqlite3.DatabaseError) -> str:
    if "locked" in str(error):
        return "another cluster is using it; end that one, or choose another --data-dir"
    if "not a database" in str(error):
        return "it is no file of ours; choose another --data-dir, or remove it"
    return f"{error}; is the folder there, and may you write in it?"


def erase(path: Path) -> None:
    """Throw the file away, with what SQLite keeps beside it."""
    for file in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        file.unlink(missing_ok=True)
