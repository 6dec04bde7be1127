"""Run on a web server's host, as the service user in the units' environment: ask log servers as the web server does."""

import concurrent.futures
import json
import os
import socket
import sys
import urllib.error
import urllib.request


def main(servers: "list[tuple[str, int]]") -> None:
    """Ask each server (name, port) for a page; print one JSON object that maps NAME:PORT to an error or null."""
    pool = concurrent.futures.ThreadPoolExecutor(32)
    asked = {f"{name}:{port}": pool.submit(ask, name, port) for name, port in servers}
    # In parallel: one that answers byte by byte must not hide the others' answers.
    concurrent.futures.wait(asked.values(), timeout=10)
    print(json.dumps({key: one.result() if one.done() else "no complete answer in time" for key, one in asked.items()}))
    sys.stdout.flush()
    os._exit(0)  # do not wait for requests that are still open


def ask(name: str, port: int) -> "str | None":
    """Return the error, or None."""
    try:
        # The same proxy settings as Airflow's own requests.
        urllib.request.urlopen(f"http://{name}:{port}/", timeout=5).close()
    except urllib.error.HTTPError as error:  # it answered; it shows logs only to signed requests
        return f"HTTP status {error.code}" if error.code >= 500 else None
    except urllib.error.URLError as error:
        return "unresolved" if isinstance(error.reason, socket.gaierror) else str(error.reason)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None
