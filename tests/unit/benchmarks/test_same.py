import pytest

from benchmarks.measure import Failed
from benchmarks.peers.same import ALWAYS, MayDiffer, assert_same, differences, parse

# As fingerprint.sh printed it on a node, shortened.
PRINTED = """\
package\tgcc\t4:12.2.0-3 installed
user\tastro\thome /home/astro, shell /bin/false
file\t/etc/default/airflow\tregular file -rw------- root:root 0b6a1f0c4ab9d0e7
file\t/usr/local/airflow/dags\tsymbolic link lrwxrwxrwx root:root /usr/local/airflow/dags-releases/8e1b
unit\tairflow@worker.service\tactive enabled \n
python\tapache-airflow\t3.3.2
"""


def test_lines_become_a_mapping() -> None:
    assert parse(PRINTED) == {
        "package gcc": "4:12.2.0-3 installed",
        "user astro": "home /home/astro, shell /bin/false",
        "file /etc/default/airflow": "regular file -rw------- root:root 0b6a1f0c4ab9d0e7",
        "file /usr/local/airflow/dags": "symbolic link lrwxrwxrwx root:root /usr/local/airflow/dags-releases/8e1b",
        "unit airflow@worker.service": "active enabled ",
        "python apache-airflow": "3.3.2",
    }


def test_a_line_of_another_form_is_no_fingerprint() -> None:
    with pytest.raises(ValueError, match="not enough values"):
        parse("psql: error: connection to server failed\n")


def test_differences_are_reported_both_ways_round() -> None:
    wanted = {"package gcc": "12 installed", "unit airflow@worker.service": "active enabled", "user astro": "x"}
    found = {"package gcc": "12 installed", "unit airflow@worker.service": "active disabled", "package acl": "2"}
    assert differences(wanted, found) == [
        "package acl: 2, not missing",
        "unit airflow@worker.service: active disabled, not active enabled",
        "user astro: missing, not x",
    ]


def test_what_may_differ_is_left_out_as_a_whole_key_only() -> None:
    found = {"package acl": "2", "package acl-dev": "2"}
    assert differences({}, found, [MayDiffer("package acl", "becoming another user")]) == [
        "package acl-dev: 2, not missing"
    ]


def test_the_dag_folder_may_be_a_link_but_what_is_in_it_counts() -> None:
    wanted = {"file /usr/local/airflow/dags": "symbolic link", "file /usr/local/airflow/dags/a.py": "regular file 1"}
    found = {"file /usr/local/airflow/dags": "directory", "file /usr/local/airflow/dags/a.py": "regular file 2"}
    assert differences(wanted, found, ALWAYS) == [
        "file /usr/local/airflow/dags/a.py: regular file 2, not regular file 1"
    ]


def test_every_host_that_differs_is_named() -> None:
    wanted = {"db1": {"role airflow": "login"}, "web1": {"user astro": "x"}, "worker1": {"user astro": "x"}}
    found = {"db1": {"role airflow": "login"}, "web1": {"user astro": "y"}, "worker1": {}}
    with pytest.raises(Failed) as told:
        assert_same(wanted, found, "pyinfra")
    assert str(told.value) == (
        "pyinfra did not leave what Aerodrome leaves:\nweb1: user astro: y, not x\nworker1: user astro: missing, not x"
    )
    assert_same(wanted, wanted, "pyinfra")
