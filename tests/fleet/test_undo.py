"""What a run has changed is taken back, and the hosts are as they were before it."""

from __future__ import annotations

import json
import re
import shutil
import time

import pytest

from tests.fleet.conftest import HOSTS, Fleet
from tests.fleet.test_deploy import started_after_its_environment

NODES = HOSTS[1:]
# All that a deploy writes, except packages, environments and records: kind, owner, mode, content or target of each.
PLACES = (
    "/etc/default /etc/systemd/system /etc/aerodrome /etc/hosts /usr/local/airflow /opt/aerodrome/airflow/venv"
    " /etc/postgresql /var/lib/postgresql/*/*/postgresql.auto.conf"
)
STATE = (
    f"find $(ls -d {PLACES} 2>/dev/null) -path '*/logs/*' -prune -o -path '*-releases' -prune -o "
    "-printf '%p %y %u:%g %m %l\\n' -type f -exec sha256sum {} + | sort; "
    "for unit in $(ls /etc/systemd/system | grep -o '^airflow@[a-z-]*'); do "
    'echo "$unit $(systemctl is-enabled $unit) $(systemctl is-active $unit)"; done'
)


def states(fleet: Fleet) -> dict[str, str]:
    return {host: fleet.sh(host, STATE) for host in HOSTS}


def runs(fleet: Fleet, last: int = 1) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(fleet.fab("history", "--json", f"--last={last}").out)
    return found


def test_a_deploy_is_taken_back_to_the_last_byte(fleet: Fleet) -> None:
    text = fleet.hosts_yaml.read_text()
    before = states(fleet)
    fleet.change("\nairflow:\n", "\nairflow:\n  environment: {SEASON: winter}\n")
    found = re.search(r"^  dags: (\S+)", text, re.MULTILINE)
    assert found
    folder = fleet.folder / "more-dags"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(found[1], folder)
    (folder / "one_more.py").write_text("")
    config = fleet.folder / "airflow-undo.cfg"
    config.write_text("[core]\nload_examples = False\n")
    fleet.change(found[0], f"  dags: {folder}\n  drain_timeout: 123")
    fleet.change("\nairflow:\n", f"\nairflow:\n  config_file: {config}\n  web_port: 8099\n")
    try:
        fleet.fab("deploy")
        changed = states(fleet)
        assert all(changed[host] != before[host] for host in NODES)
        planned = fleet.fab("undo", code=1)
        assert "cannot ask without a terminal: nothing was undone" in planned.err
        assert "put back /etc/default/airflow" in planned.out and "-SEASON=winter" in planned.out
        assert states(fleet) == changed

        done = fleet.fab("undo", "--yes")
        assert done.err.splitlines()[-1] == "done: 4 hosts changed"
        assert "healthy" in done.err  # the web server is asked at its former port
        assert states(fleet) == before
        assert all(started_after_its_environment(fleet, host) for host in ("worker1", "worker2"))

        (undone,) = runs(fleet)
        assert (undone["command"], undone["outcome"]) == ("fab undo", "changed")
        again = fleet.fab("undo", "--yes", code=1)
        assert "it is not undone itself" in again.err
        of = str(runs(fleet, 2)[1]["run"])
        assert fleet.fab("undo", f"--run={of}", "--yes").err.splitlines()[-1].startswith("no changes")
        shown = fleet.fab("plan", code=2).out
        assert "+SEASON=winter" in shown and "write /etc/systemd/system/airflow@worker.service.d" in shown
    finally:
        fleet.hosts_yaml.write_text(text)
    fleet.nothing_to_do("deploy")


def test_what_was_edited_since_is_refused_by_name_unless_forced(fleet: Fleet) -> None:
    before = states(fleet)
    fleet.change("\nairflow:\n", "\nairflow:\n  environment: {SEASON: spring}\n")
    fleet.fab("-H", "worker1,worker2", "deploy")
    fleet.sh("worker2", "echo BY=hand >>/etc/default/airflow")
    edited = states(fleet)
    refused = fleet.fab("undo", "--yes", code=1)
    assert "worker2: node.environment: file /etc/default/airflow has been changed since that run" in refused.err
    assert states(fleet) == edited
    fleet.fab("undo", "--yes", "--force")
    assert states(fleet) == before


@pytest.mark.parametrize("after", [1.5, 2.2, 3.0, 4.5])
def test_a_run_that_was_killed_is_taken_back(fleet: Fleet, after: float) -> None:
    before = states(fleet)
    fleet.change("\nairflow:\n", f"\nairflow:\n  environment: {{SEASON: after-{after}}}\n")
    (last,) = runs(fleet)
    process = fleet.start("-H", "worker1,worker2", "deploy")
    time.sleep(after)
    process.kill()
    process.communicate()
    (killed,) = runs(fleet)
    if killed["run"] != last["run"]:
        fleet.fab("undo", f"--run={killed['run']}", "--yes")
    assert states(fleet) == before


def test_an_undo_that_was_killed_is_run_again(fleet: Fleet) -> None:
    before = states(fleet)
    fleet.change("\nairflow:\n", "\nairflow:\n  environment: {SEASON: autumn}\n")
    fleet.fab("-H", "worker1,worker2", "deploy")
    for after in (1.5, 2.5, 3.5):
        process = fleet.start("undo", "--yes")
        time.sleep(after)
        process.kill()
        process.communicate()
    last = fleet.start("undo", "--yes")
    _, said = last.communicate(timeout=300)
    # It may have been killed only after its end.
    assert last.returncode == 0 or "it is not undone itself" in said, said
    assert states(fleet) == before
    assert all(started_after_its_environment(fleet, host) for host in ("worker1", "worker2"))


def test_what_has_no_way_back_is_named_and_a_block_has_one(fleet: Fleet) -> None:
    before = states(fleet)
    fleet.sh("worker1", "sed -i '/BEGIN aerodrome/,/END aerodrome/d' /etc/hosts; usermod -s /bin/bash astro")
    without = fleet.sh("worker1", "cat /etc/hosts")
    try:
        assert "take the login shell /bin/bash from astro (no way back)\n" in fleet.fab("plan", code=2).out
        fleet.fab("-H", "worker1", "deploy")
        shown = fleet.fab("undo", code=1).out
        assert "node.user: take the login shell /bin/bash from astro (no way back)\n" in shown
        assert "remove the block from /etc/hosts" in shown
        fleet.fab("undo", "--yes")
        assert fleet.sh("worker1", "cat /etc/hosts") == without
    finally:
        fleet.fab("deploy")
    assert fleet.sh("worker1", STATE) == before["worker1"]


def test_a_secret_is_kept_nowhere_and_its_change_has_no_way_back(fleet: Fleet) -> None:
    text, file = fleet.hosts_yaml.read_text(), fleet.folder / "token"
    file.touch(mode=0o600)
    file.write_text("first-of-tokens\n")
    search = "grep -rlF first-of-tokens /etc/default /var/lib/aerodrome || :"
    worker = ("-H", "worker1")
    fleet.change("\nairflow:\n", "\nairflow:\n  environment: {SEASON: winter, TOKEN: !file token, ZONE: west}\n")
    try:
        fleet.fab(*worker, "deploy")
        with_it = fleet.sh("worker1", STATE)
        fleet.change("SEASON: winter", "SEASON: spring")
        fleet.fab(*worker, "deploy")
        fleet.fab("undo", "--yes")
        assert fleet.sh("worker1", STATE) == with_it
        assert fleet.sh("worker1", search).split() == ["/etc/default/airflow"]

        file.write_text("second-of-tokens\n")
        assert "write /etc/default/airflow (no way back)\n" in fleet.fab(*worker, "plan", code=2).out
        fleet.fab(*worker, "deploy")
        fleet.change(", TOKEN: !file token", "")
        fleet.fab(*worker, "deploy")
        without = fleet.sh("worker1", STATE)
        done = fleet.fab("undo", "--yes")
        assert "write /etc/default/airflow (no way back)" in done.out
        assert fleet.sh("worker1", STATE) == without
        assert fleet.sh("worker1", search.replace("first", "second")) == fleet.sh("worker1", search) == ""
    finally:
        fleet.hosts_yaml.write_text(text)
    fleet.fab("deploy")


def test_what_is_kept_is_roots_alone_and_of_ten_runs(fleet: Fleet) -> None:
    folder = "/var/lib/aerodrome/undo"
    assert set(fleet.sh("worker1", f"find {folder} -printf '%u %y %m\\n'").splitlines()) == {"root d 700", "root f 600"}
    assert int(fleet.sh("worker1", f"ls {folder} | wc -l")) <= 10
