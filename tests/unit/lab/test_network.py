from lab import network
from lab.layout import Layout


def test_ruleset_refuses_ssh_to_hosts_behind_a_jump_host() -> None:
    assert network.ruleset(Layout("demo"), ["10.213.77.15"]) == (
        """\
table ip aerodrome_demo
delete table ip aerodrome_demo
table ip aerodrome_demo {
  chain output {
    type filter hook output priority filter
    ip daddr 10.213.77.15 tcp dport 22 meta mark != 0xae20 reject with tcp reset
  }
  chain leave {
    type nat hook postrouting priority srcnat
    ip saddr 10.213.77.0/24 ip daddr != 10.213.77.0/24 masquerade
  }
  chain forward {
    type filter hook forward priority mangle
    ip saddr 10.213.77.0/24 tcp flags syn tcp option maxseg size set rt mtu
  }
}
"""
    )


def test_bridge_is_made_only_where_there_is_none() -> None:
    raised = [
        ["ip", "address", "replace", "10.213.79.1/24", "dev", "aero-bench"],
        ["ip", "link", "set", "aero-bench", "up"],
    ]
    create = ["ip", "link", "add", "aero-bench", "type", "bridge"]
    assert network.bridge_commands(Layout("bench"), there=True) == raised
    assert network.bridge_commands(Layout("bench"), there=False) == [create, *raised]
