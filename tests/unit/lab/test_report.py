from lab.fleet import HostStatus
from lab.report import status_lines


def test_status_lines() -> None:
    hosts = [
        HostStatus("db1", "10.213.77.11", "root", None, up=True),
        HostStatus("worker2", "10.213.77.15", "ops", "sched1", up=False),
    ]
    assert status_lines(hosts) == [
        "db1       up    root@10.213.77.11",
        "worker2   down  ops@10.213.77.15 through sched1",
    ]
