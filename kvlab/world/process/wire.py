"""Frames on a stream: four bytes of length, big-endian, then so many bytes.

Used between nodes and between a node and its supervisor; everything listens on loopback only.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Callable
from typing import TypeVar, cast

import msgspec

from kvlab.errors import BadFrame, FrameTooLong
from kvlab.messages import FRAME_BYTES_MAX

T = TypeVar("T")

LOOPBACK = "127.0.0.1"

UNSENT_BYTES_MAX = 64 * 1024 * 1024
"""What a connection keeps for a receiver that does not read (it may be paused); beyond that it is full."""

_length = struct.Struct(">I")


class FrameConnection(asyncio.Protocol):
    """One stream of frames, both ways. Frames sent in one turn of the loop leave in one write."""

    def __init__(
        self,
        on_frame: Callable[[FrameConnection, memoryview], None],
        on_lost: Callable[[FrameConnection, Exception | None], None],
    ) -> None:
        self._on_frame, self._on_lost = on_frame, on_lost
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._unsent: list[bytes] = []
        self._unsent_bytes = 0  # of those; the transport counts what it has been given itself
        self._broken: BadFrame | None = None

    # -- sending ---------------------------------------------------------------------------------

    def send(self, data: bytes) -> bool:
        """Send a frame soon; False if the receiver has too much unread already, and it was not taken.

        Raises FrameTooLong if no receiver would accept it.
        """
        if len(data) > FRAME_BYTES_MAX:
            raise FrameTooLong(len(data), FRAME_BYTES_MAX)
        if self._transport is None:
            return False
        if self._transport.get_write_buffer_size() + self._unsent_bytes > UNSENT_BYTES_MAX:
            return False
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(_length.pack(len(data)))
        self._unsent.append(data)
        self._unsent_bytes += len(data)
        return True

    def _flush(self) -> None:
        unsent, self._unsent, self._unsent_bytes = self._unsent, [], 0
        if self._transport is not None:
            self._transport.write(b"".join(unsent))

    def close(self) -> None:
        """Send what is unsent, and close."""
        if self._transport is not None:
            self._flush()
            self._transport.close()

    # -- asyncio.Protocol ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by birth

    def data_received(self, data: bytes) -> None:
        if self._broken is not None:
            return
        self._received += data
        try:
            taken = self._take_frames()
        except BadFrame as error:
            self._broken = error
            self.close()
            return
        del self._received[:taken]

    def _take_frames(self) -> int:
        """Hand over every whole frame received; returns how many bytes they took."""
        position, end = 0, len(self._received)
        with memoryview(self._received) as received:
            while end - position >= 4:
                (size,) = _length.unpack_from(received, position)
                if size > FRAME_BYTES_MAX:
                    raise BadFrame(
                        f"expected a frame of at most {FRAME_BYTES_MAX} bytes, and its length says {size}: "
                        "whoever connected does not speak kvlab's protocol"
                    )
                if end - position - 4 < size:
                    break
                with received[position + 4 : position + 4 + size] as frame:
                    self._on_frame(self, frame)
                position += 4 + size
        return position

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._unsent.clear()
        self._unsent_bytes = 0
        self._on_lost(self, self._broken or exc)


def decoded(decoder: msgspec.msgpack.Decoder[T], data: memoryview) -> T:
    """The message in this frame. Raises BadFrame if it holds anything else."""
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:  # the latter for a string that is no UTF-8
        raise BadFrame(str(error)) from error


def is_free(port: int) -> bool:
    """Whether this loopback port can be listened on now."""
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def listener(port: int) -> str:
    """Who listens on this port, in words for a message; costs some ms."""
    import psutil

    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            if connection.status != psutil.CONN_LISTEN or port not in tuple(connection.laddr)[1:]:
                continue
            if connection.pid is None:
                break  # another user's
            process = psutil.Process(connection.pid)
            if "kvlab.world.process.node" in process.cmdline():
                return f"a node of another kvlab cluster (process {connection.pid})"
            return f"{process.name()} (process {connection.pid})"
    return f"another program (`lsof -i :{port}` may tell which)"
