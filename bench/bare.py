"""The least that a Redis server in Python can be: a dict, asyncio (uvloop where it is) and hiredis.

It has no expiry, no eviction, no errors, no stage and no cluster. What it reaches on a machine is what
there is to be had there, and stands beside what stage 1 reaches. `python -m bench.bare PORT`.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import hiredis

store: dict[bytes, bytes] = {}


class Bare(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.reader = hiredis.Reader()

    def data_received(self, data: bytes) -> None:
        replies = []
        self.reader.feed(data)
        while (args := self.reader.gets()) is not False:
            if args[0] == b"GET":
                value = store.get(args[1])
                replies.append(b"$-1\r\n" if value is None else b"$%d\r\n%b\r\n" % (len(value), value))
            elif args[0] == b"SET":
                store[args[1]] = args[2]
                replies.append(b"+OK\r\n")
            else:  # redis-benchmark asks CONFIG GET before it begins
                replies.append(b"*2\r\n$4\r\nsave\r\n$0\r\n\r\n")
        self.transport.write(b"".join(replies))


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Bare, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


if __name__ == "__main__":
    try:
        import uvloop
    except ImportError:
        asyncio.run(main())
    else:
        asyncio.Runner(loop_factory=uvloop.new_event_loop).run(main())
