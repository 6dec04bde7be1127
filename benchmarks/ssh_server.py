"""Many hosts in one process: SSH servers that answer the probe as one real host did.

    ssh_server.py FOLDER PORT MILLISECONDS

FOLDER contains host_key and authorized_keys; probe, the script that was sent to the real host, and answer, its output,
both with NONCE in place of the run's own; and seconds, the time that it took. Any other script is rejected. The servers
listen on every address of this machine. MILLISECONDS is the round trip to simulate on each connection. The process
prints a line once the servers are ready, and ends when its standard input does. It runs in its own environment
(benchmarks/tools.py), which has asyncssh.
"""

import asyncio
import os
import re
import socket
import sys
from asyncio import StreamReader, StreamWriter
from pathlib import Path
from typing import Any

import asyncssh

FOLDER, PORT, ROUND_TRIP = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) / 1000
PROBE, ANSWER = ((FOLDER / name).read_bytes() for name in ("probe", "answer"))
SECONDS = float((FOLDER / "seconds").read_text())
HOST_KEY = asyncssh.read_private_key(FOLDER / "host_key")
USERS = asyncssh.read_authorized_keys(str(FOLDER / "authorized_keys"))


async def answer(process: Any) -> None:
    """Read the script as a host does, and print the real host's output."""
    found = re.search(r"head -c (\d+)", process.command)
    size = int(found[1]) if found else 0
    script = await process.stdin.readexactly(size)
    nonce = re.search(rb"@%s %s\\n' ([0-9a-f]+) 0", script)
    if not nonce or script.replace(nonce[1], b"NONCE") != PROBE:
        process.stdout.write(b"this is not the probe that was recorded\n")
        process.exit(1)
        return
    await asyncio.sleep(SECONDS)
    process.stdout.write(ANSWER.replace(b"NONCE", nonce[1]))
    process.exit(0)


async def serve(reader: StreamReader, writer: StreamWriter) -> None:
    """Simulate the network between a client and its server.

    The kernel has already completed TCP's handshake. Over a real network, the client could send after one round trip,
    and the server would receive that after one and a half.
    """
    begin = asyncio.get_running_loop().time() + 1.5 * ROUND_TRIP
    near, far = socket.socketpair()
    from_server, to_server = await asyncio.open_connection(sock=near)
    both = asyncio.gather(carry(reader, to_server, begin), carry(from_server, writer), return_exceptions=True)
    await asyncio.sleep(1.5 * ROUND_TRIP)
    await asyncssh.run_server(
        far, server_host_keys=[HOST_KEY], authorized_client_keys=USERS, process_factory=answer, encoding=None
    )
    await both


async def carry(reader: StreamReader, writer: StreamWriter, begin: float = 0.0) -> None:
    """Forward the data in order, half a round trip later and not before `begin`."""
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[tuple[float, bytes]]()

    async def take() -> None:
        data = b"begin"
        while data:
            data = await reader.read(1 << 16)
            queue.put_nowait((max(loop.time() + ROUND_TRIP / 2, begin), data))

    taking = asyncio.create_task(take())
    try:
        while True:
            due, data = await queue.get()
            if (left := due - loop.time()) > 0:
                await asyncio.sleep(left)
            if not data:
                return
            writer.write(data)
            await writer.drain()
    finally:
        taking.cancel()
        writer.close()


async def main() -> None:
    """Listen until standard input ends."""
    async with await asyncio.start_server(serve, "0.0.0.0", PORT, backlog=1000):  # noqa: S104
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        os._exit(0)  # skip asyncio's warnings about open connections


asyncio.run(main())
