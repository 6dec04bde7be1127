"""Runs on a web server's host, as the service user, in the units' environment: asks log servers as it does."""

import concurrent.futures
import json
import os
import socket
import sys
import urllib.error
import urllib.request


def main(servers: "list[tuple[str, int]]") -> None:
    """Ask each server (name, port) for a page, and print one JSON object: NAME:PORT and what went wrong, or null."""
    pool = concurrent.futures.ThreadPoolExecutor(32)
    asked = {f"{name}:{port}": pool.submit(ask, name, port) for name, port in servers}
    # All together: one that answers byte by byte must not hide what the others say.
    concurrent.futures.wait(asked.values(), timeout=10)
    print(json.dumps({key: one.result() if one.done() else "no complete answer in time" for key, one in asked.items()}))
    sys.stdout.flush()
    os._exit(0)  # whoever still asks is not waited for


def ask(name: str, port: int) -> "str | None":
    """Return what went wrong, or None."""
    try:
        # The same proxy settings as Airflow's own requests.
        urllib.request.urlopen(f"http://{name}:{port}/", timeout=5).close()
    except urllib.error.HTTPError as error:  # it answers; without a signed request it shows nothing
        return f"HTTP status {error.code}" if error.code >= 500 else None
    except urllib.error.URLError as error:
        return "unresolved" if isinstance(error.reason, socket.gaierror) else str(error.reason)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None
