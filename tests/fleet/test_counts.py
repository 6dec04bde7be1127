"""The cost of a deploy with nothing to do, in counts, which are the same on fast and slow machines."""

from __future__ import annotations

from benchmarks.counts import counts
from tests.fleet.conftest import HOSTS, Fleet
from tests.real import wait

# Processes that the probe starts. Each costs a host 2 to 10 ms, so one more has to be worth it.
# All files of a host together take two.
PROCESSES = {"db1": 10, "sched1": 15, "web1": 16, "worker1": 15, "worker2": 15}


def test_nothing_to_do_costs_one_handshake_and_one_probe_a_host(fleet: Fleet) -> None:
    def look() -> dict[str, dict[str, int]]:
        return counts(fleet.lab, fleet.hosts_yaml, fleet.environment())

    # A file that was replaced by an equal one costs extra once, not until its unit restarts.
    for host in HOSTS[1:]:
        fleet.sh(host, "cd /etc/default; cp -p airflow airflow.new; mv airflow.new airflow")
    # The health of a unit that has just started is asked too.
    wait("all units have settled", lambda: all(counted["execs"] == 1 for counted in look().values()))
    for _ in range(2):
        found = look()
        assert list(found) == list(HOSTS)
        for host, counted in found.items():
            # Two for the key exchange, two to log in, one for the channel, one for the exec.
            through = {"sched1": 1}.get(host, 0)  # worker2 is reached through it, in a channel of its own
            assert counted == {
                "connections": 1,
                "key exchanges": 2,
                "authentication": 2,
                "channels": 1 + through,
                "execs": 1,
                "round trips": 6 + through,
                "processes of the probe": counted["processes of the probe"],
            }, host
            assert 1 < counted["processes of the probe"] <= PROCESSES[host], host
