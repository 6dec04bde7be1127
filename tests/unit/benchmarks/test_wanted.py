"""The wanted state of a fleet to which nothing has been deployed yet."""

from __future__ import annotations

from pathlib import Path

from benchmarks.wanted import inputs_of

HOSTS = """\
hosts: {one: {address: 192.0.2.1}}
roles: {database: [one], scheduler: [one], webserver: [one], worker: [one]}
"""


def test_what_the_peers_send_holds_the_secrets_that_fab_deploy_will_use(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts.yaml"
    hosts.write_text(HOSTS)
    first, then = inputs_of(hosts), inputs_of(hosts)
    assert first.password is not None and first.password == then.password
    assert first.fernet_key == then.fernet_key
