"""Things that ordinary tasks do: processes, threads, temporary files, the network; for Airflow 1.10, 2 and 3."""

import multiprocessing
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import urllib.request
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

try:  # Airflow 3
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.providers.standard.operators.python import PythonOperator
    from airflow.sdk import DAG

    TRIGGERED_ONLY = {"schedule": None}
except ImportError:
    from airflow import DAG

    TRIGGERED_ONLY = {"schedule_interval": None}  # its name until 2.4; 2 knows both

    try:  # Airflow 2
        from airflow.operators.bash import BashOperator
        from airflow.operators.python import PythonOperator
    except ImportError:  # Airflow 1.10
        from airflow.operators.bash_operator import BashOperator
        from airflow.operators.python_operator import PythonOperator

IN_BASH = """
set -eu
file=$(mktemp)
seq 1000 | sort -n | tail -n 1 >"$file"
[ "$(cat "$file")" = 1000 ]
cp -p "$file" "$file.copy" && chmod 600 "$file.copy" && chown "$(id -u):$(id -g)" "$file.copy"
tar -C "$(dirname "$file")" -cz "$(basename "$file")" | tar -xzO | grep -qx 1000
nice -n 5 true
(sleep 0.1; echo from a child) & wait
rm "$file" "$file.copy"
"""


class Answer(BaseHTTPRequestHandler):
    """Says hello."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")


def processes() -> None:
    """Run a program, a pool of processes with a lock, and threads."""
    assert subprocess.check_output(["sh", "-c", "echo out"], universal_newlines=True) == "out\n"
    # In Airflow 1.10 and 2, a Celery task is a daemon process, and multiprocessing allows those no children.
    multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]
    queue: multiprocessing.queues.Queue[int] = multiprocessing.Queue()
    children = [multiprocessing.Process(target=queue.put, args=(number,)) for number in range(3)]
    for child in children:
        child.start()
    assert sorted(queue.get(timeout=60) for _ in children) == [0, 1, 2]
    for child in children:
        child.join()
    found: list[int] = []
    threads = [threading.Thread(target=found.append, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(8))


def files() -> None:
    """Write, copy and remove temporary files, read the system."""
    folder = tempfile.mkdtemp()
    path = os.path.join(folder, "file")
    with open(path, "wb") as opened:
        opened.write(os.urandom(100000))
    shutil.copy2(path, path + ".copy")
    assert os.path.getsize(path + ".copy") == 100000
    shutil.rmtree(folder)
    for readable in ("/etc/passwd", "/proc/meminfo", "/proc/cpuinfo"):
        with open(readable) as opened:
            assert opened.read()


def network() -> None:
    """Serve and fetch a page over TCP, ask for the machine's names and addresses."""
    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    assert opener.open(f"http://127.0.0.1:{server.server_port}/", timeout=10).read() == b"hello"
    thread.join()
    server.server_close()
    assert socket.getaddrinfo(socket.gethostname(), None)
    assert any(name == "lo" for _, name in socket.if_nameindex())


with DAG("what_tasks_do", start_date=datetime(2020, 1, 1), catchup=False, **TRIGGERED_ONLY) as dag:
    BashOperator(task_id="in_bash", bash_command=IN_BASH)
    for task in (processes, files, network):
        PythonOperator(task_id=task.__name__, python_callable=task)
