"""Many hosts in one process: SSH servers that answer every probe as one real host did.

    ssh_server.py FOLDER PORT MILLISECONDS

FOLDER has host_key, authorized_keys, and answer: what the real host printed, with NONCE in the place of its nonce.
They listen on each address of this machine; MILLISECONDS is the round trip that is
added to each connection, half of it to what comes and half to what goes. It prints a line when they are ready, and
ends with its standard input. It runs in an environment of its own (benchmarks/tools.py), which has asyncssh.
"""

import asyncio
import os
import re
import socket
import sys
from pathlib import Path

import asyncssh

FOLDER, PORT, SECONDS = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) / 1000
ANSWER = (FOLDER / "answer").read_bytes()
HOST_KEY = asyncssh.read_private_key(FOLDER / "host_key")
USERS = asyncssh.read_authorized_keys(str(FOLDER / "authorized_keys"))


async def answer(process):
    """Read the script, as a host does, and print what the real one printed."""
    size = int(re.search(r"head -c (\d+)", process.command)[1])
    script = await process.stdin.readexactly(size)
    nonce = re.search(rb"@%s %s\\n' ([0-9a-f]+) 0", script)[1]
    process.stdout.write(ANSWER.replace(b"NONCE", nonce))
    process.exit(0)


async def serve(reader, writer):
    """Put the round trip between a client and its server."""
    await asyncio.sleep(SECONDS)  # that of TCP's own handshake, which the kernel has made without us
    near, far = socket.socketpair()
    from_server, to_server = await asyncio.open_connection(sock=near)
    both = asyncio.gather(carry(reader, to_server), carry(from_server, writer), return_exceptions=True)
    await asyncssh.run_server(
        far, server_host_keys=[HOST_KEY], authorized_client_keys=USERS, process_factory=answer, encoding=None
    )
    await both


async def carry(reader, writer):
    """Hand on what comes, in order, half a round trip later."""
    loop, queue = asyncio.get_running_loop(), asyncio.Queue()

    async def take():
        data = b"begin"
        while data:
            data = await reader.read(1 << 16)
            queue.put_nowait((loop.time() + SECONDS / 2, data))

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


async def main():
    """Listen until standard input ends."""
    async with await asyncio.start_server(serve, "0.0.0.0", PORT, backlog=1000):  # noqa: S104
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        os._exit(0)  # past what asyncio says of connections that are still open


asyncio.run(main())
