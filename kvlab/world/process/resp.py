"""The Redis port of a node: any Redis client can speak to it.

A connection is an asyncio.Protocol, under asyncio's loop or uvloop's. What arrives in one chunk is parsed at
once, the commands are carried out in their order, and their replies leave in one write.

A command is a coroutine, but few have to wait, and a task for each would cost more than the command. So
it is stepped once, there and then: if it ends, that was it. If it yields a future instead, a task takes it
from there (world/eager.py), and the commands after it stay in the backlog until it is done: replies keep
the order of the requests. A connection is not read while its backlog waits, nor while its client does not
read.

There are two ways through. Where the node alone has all the answers (stage 1) everything but a look into its
store is overhead, and most of what clients send is plain GETs and SETs: `_carry_out_plain` takes those
straight from the bytes, all of a chunk at once. It takes a request only if it understands every byte of it,
and leaves the rest of the chunk, whatever it is, to the general way: the parser, the backlog and the table
of commands (`_carry_out`).

Invariant: what a client sends can end its own connection and nothing else.
Invariant: a connection holds at most one chunk of requests, one unfinished request (REQUEST_BYTES_MAX), and
    WRITE_BYTES plus one reply of what the client has not read yet. A reply's values hold REPLY_BYTES_MAX.
"""

from __future__ import annotations

import asyncio
import errno
import sys
from collections import deque
from collections.abc import Awaitable, Sequence
from typing import cast

from kvlab.config import check_range
from kvlab.errors import OperationError, Outcome, PortTaken, UserError
from kvlab.messages import Item, Key
from kvlab.stages import AnswersAtOnce
from kvlab.stages.pieces import PieceFailed
from kvlab.world import eager
from kvlab.world.process import commands
from kvlab.world.process.resp_parser import Parser, Request
from kvlab.world.process.resp_replies import ANNOUNCED, BULK, END, OK, Complaint, bulk, error
from kvlab.world.process.resp_session import Served, Serving, Session

__all__ = ["RespServer", "Served"]

GET = (b"*2\r\n$3\r\nGET\r\n", b"*2\r\n$3\r\nget\r\n")
SET = (b"*3\r\n$3\r\nSET\r\n", b"*3\r\n$3\r\nset\r\n")
"""How a plain GET and a plain SET begin, up to the key."""

WRITE_BYTES = 256 * 1024
"""When so much has been answered it is sent, even in the midst of a batch."""


FILES_KEPT = 64
"""Of the files that a process may have open, so many are not for clients but for peers, disk and log."""


def clients_max() -> int:
    """How many clients a node has room for, by the limit of open files that it was started with."""
    try:
        import resource
    except ImportError:  # a system without such limits
        return sys.maxsize
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if files == resource.RLIM_INFINITY else max(1, files - FILES_KEPT)


class RespServer:
    """Listens on one port of the loopback interface for one node."""

    def __init__(self, host: Served) -> None:
        self._serving = Serving(host)
        self._connections: set[Connection] = set()
        self.clients_max = clients_max()
        self._server: asyncio.Server | None = None

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    async def listen(self, port: int) -> int:
        """Open the port, 0 for any free one; returns which it is. Raises PortTaken if it is."""
        check_range("a port", port, 0, 65535, "0 takes any free one")
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(self._connect, "127.0.0.1", port)
        except OSError as failure:
            if failure.errno == errno.EADDRINUSE:
                raise PortTaken(
                    f"port {port} is taken by another program: end that, or choose another (0: any)"
                ) from failure
            if failure.errno == errno.EACCES:
                why = f"port {port} is reserved for the system's administrator: choose one above 1023"
            else:
                why = f"port {port} cannot be opened: {failure}"
            raise UserError(why) from failure
        self._serving.port = self._server.sockets[0].getsockname()[1]
        return self._serving.port

    async def close(self) -> None:
        """Take no more clients and break off those that are there. May be called twice."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        workers = [worker for connection in self._connections if (worker := connection.abort())]
        await asyncio.gather(*workers, return_exceptions=True)
        await server.wait_closed()

    def _connect(self) -> asyncio.Protocol:
        if len(self._connections) >= self.clients_max:
            return OneTooMany()
        return Connection(self._serving, self._connections)


class OneTooMany(asyncio.Protocol):
    """A client for whom there is no room: it is told so, and the node can still be reached by its peers."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast(asyncio.Transport, transport)
        stream.write(
            error("ERR max number of clients reached: close some, or raise `ulimit -n` and start anew")
        )
        stream.close()


class Connection(asyncio.Protocol):
    """One client. `_carry_out` and `_carry_out_plain` are where commands are carried out."""

    _transport: asyncio.Transport
    _session: Session

    def __init__(self, serving: Serving, connections: set[Connection]) -> None:
        self._serving = serving
        self._connections = connections
        self._parser = Parser()
        self._backlog: deque[Request] = deque()
        self._replies: list[bytes] = []
        self._worker: asyncio.Task[None] | None = None  # a command that waits
        self._full = False  # the client does not read its replies
        self._held = False  # the client is not read
        self._ended = False  # the client will send no more
        self._idle = False  # all is done and nothing half read: the next chunk begins with a request

    # -- what asyncio calls ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by birth
        host, port = transport.get_extra_info("peername") or ("127.0.0.1", 0)
        self._session = Session(self._serving, f"{host}:{port}")
        self._serving.sessions[self._session.id] = self._session
        self._connections.add(self)
        self._idle = self._session.at_once

    def data_received(self, data: bytes) -> None:
        if self._idle and not self._session.host.watched:
            data = self._carry_out_plain(data)
            self._send_replies()
            if not data:
                return
        self._idle = False
        self._backlog.extend(self._parser.feed(data))
        if self._worker is None and not self._full:
            self._run()
        else:
            self._regulate()

    def eof_received(self) -> bool:
        """The client has closed its side; it still gets the replies it waits for."""
        self._ended = True
        return bool(self._worker or self._backlog)

    def pause_writing(self) -> None:
        self._full, self._idle = True, False

    def resume_writing(self) -> None:
        self._full = False
        if self._worker is None:
            self._run()

    def connection_lost(self, _: Exception | None) -> None:
        """A command that has begun goes on: it is perhaps a write that half its replicas have."""
        self._backlog.clear()
        self._serving.sessions.pop(self._session.id, None)
        if self._worker is None:
            self._connections.discard(self)

    def abort(self) -> asyncio.Task[None] | None:
        """Break off; returns the task of a command that was waiting, cancelled."""
        self._backlog.clear()
        self._transport.abort()
        if self._worker is not None:
            self._worker.cancel()
        return self._worker

    # -- commands and replies --------------------------------------------------------------------

    def _run(self) -> None:
        """Carry out the backlog in this very turn of the loop; if a command has to wait, a task goes on."""
        work = self._carry_out()
        try:
            waits_for = work.send(None)
        except StopIteration:
            pass
        else:
            self._worker = asyncio.create_task(self._go_on(eager.resume(work, waits_for)))
        self._answer()

    async def _go_on(self, work: Awaitable[None]) -> None:
        try:
            await work
        finally:
            self._worker = None
            if self._session.id not in self._serving.sessions:  # nobody is there to be answered
                self._connections.discard(self)
        self._answer()

    async def _carry_out(self) -> None:
        """Carry out the backlog, one after the other, until it is empty or the client must read first.

        One coroutine for all of a batch: awaiting a command's own costs a third of stepping it from
        outside, for then its end is an exception.
        """
        session, backlog, replies = self._session, self._backlog, self._replies
        host, known = session.host, commands.known
        size = 0
        while backlog:
            args = backlog.popleft()
            try:
                handler, least, most = known.get(args[0]) or commands.learn(args)
                if not least <= len(args) <= most:
                    raise commands.wrong_arity(args[0].decode().lower())
                answer = handler(session, args)
                if isinstance(answer, bytes):
                    reply = answer
                elif host.watched:  # it says in a context variable what it does: in a task, its own
                    reply = await asyncio.create_task(answer)
                else:
                    reply = await answer
                if session.leaving:
                    backlog.clear()
            except Exception as failure:
                reply = self._complaint(failure)
            replies.append(reply)
            self._serving.commands += 1
            size += len(reply)
            if size >= WRITE_BYTES or self._worker is not None:
                self._send_replies()
                size = 0
                if self._full:
                    return

    def _answer(self) -> None:
        self._send_replies()
        if self._backlog or self._held or self._ended or self._session.leaving or self._parser.error:
            self._regulate()
        amid = self._worker or self._backlog or self._parser.amid or self._full
        self._idle = self._session.at_once and not amid

    def _send_replies(self) -> None:
        replies = self._replies
        if replies and not self._transport.is_closing():
            self._transport.write(replies[0] if len(replies) == 1 else b"".join(replies))
        replies.clear()

    # -- plain GETs and SETs ---------------------------------------------------------------------

    def _carry_out_plain(self, data: bytes) -> bytes:
        """Carry out the plain GETs, or SETs, with which this chunk begins, and hand back the rest of it.

        Exact: a request is taken if it is its lines and nothing else, and every length is that of the next
        line. What holds a line break has too many lines, and is left to the parser.
        """
        head = data[: len(GET[0])]
        reads = head in GET
        if not reads and head not in SET:
            return data
        requests = data[len(head) :].split(head)
        keys: list[Key] = []
        items: list[tuple[Key, Item]] = []
        announced, line_end = ANNOUNCED, END
        try:
            if reads:
                for request in requests:
                    size, key, end = request.split(line_end)
                    if size != announced[len(key)] or end:
                        break
                    keys.append(key)
            else:
                for request in requests:
                    size, key, value_size, value, end = request.split(line_end)
                    if value_size != announced[len(value)] or size != announced[len(key)] or end:
                        break
                    items.append((key, Item(value)))
        except (ValueError, IndexError):  # other lines than these, or longer ones
            pass
        node = cast(AnswersAtOnce, self._session.host.node)
        try:
            if reads:
                done = self._reply(node.get_all(keys))
            else:
                done = len(items)
                node.put_all(items)
                self._replies.append(OK * done)
        except Exception as failure:
            done = len(keys) or len(items)
            self._replies += [self._complaint(failure)] * done
        self._serving.commands += done
        return b"" if done == len(requests) else head + head.join(requests[done:])

    def _reply(self, found: Sequence[Item | None]) -> int:
        """Answer so many reads as the client has room for; returns how many those were."""
        nil, replies, unsent = self._session.nil, self._replies, 0
        for done, item in enumerate(found, 1):
            if item is None:
                replies.append(nil)
                continue
            value = item.value
            if (length := len(value)) < len(BULK):
                replies += (BULK[length], value, END)
            else:
                replies.append(bulk(value))
            unsent += length
            if unsent >= WRITE_BYTES:
                self._send_replies()
                unsent = 0
                if self._full:
                    return done
        return len(found)

    def _regulate(self) -> None:
        """Read more only when everything so far is answered; close when there will be no more."""
        over = self._session.leaving or self._ended or self._parser.error
        hold = bool(self._full or self._backlog or over)
        if hold == self._held and not over:
            return
        transport = self._transport
        if transport.is_closing():
            return
        if over and self._worker is None and not self._full:
            if self._parser.error and not self._session.leaving:
                transport.write(error(f"ERR Protocol error: {self._parser.error}"))
            transport.close()
        elif hold != self._held:
            self._held = hold
            if hold:
                transport.pause_reading()
            else:
                transport.resume_reading()

    def _complaint(self, failure: Exception) -> bytes:
        """The error reply: whose mistake it was, and what became of the write."""
        failure = self._session.host.plainly(failure)
        match failure:
            case PieceFailed():
                self._session.host.fault(failure)
                return error(f"ERR {failure}")
            case Complaint():
                return error(str(failure))
            case OperationError():
                # The type of a locked write comes with stage 2, here or as a peer's refusal.
                name = getattr(failure, "error", type(failure).__name__)
                if name == "WritesLocked":
                    return error(f"LOCKED {failure}")
                return error(f"{'FAILED' if failure.outcome is Outcome.FAILED else 'UNKNOWN'} {failure}")
            case UserError():
                return error(f"ERR {failure}")
            case _:
                self._session.host.fault(failure)
                return error(f"ERR internal error, which is kvlab's fault and not yours: {failure!r}")
