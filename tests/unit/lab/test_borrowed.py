from lab import borrowed


def test_only_settings_that_reach_a_registry_are_taken_from_apt() -> None:
    dump = """\
Acquire::http::Proxy "http://proxy:3128";
Acquire::https::Verify-Peer "true";
Acquire::Check-Valid-Until "false";
Acquire::Languages "none";
Acquire::IndexTargets::deb::Packages::Optional "0";
"""
    assert borrowed.only_reaching(dump) == (
        'Acquire::http::Proxy "http://proxy:3128";\n'
        'Acquire::https::Verify-Peer "true";\n'
        'Acquire::Check-Valid-Until "false";\n'
    )


def test_sources_are_the_machines_mirrors_of_debian() -> None:
    targets = (
        "Debian|Debian|http://mirror/debian/\n"
        "Debian|Debian-Security|http://mirror/security/\n"
        "Docker|Docker CE|https://download.docker.com/linux/debian/\n"
    )
    assert borrowed.source_lines("trixie", targets) == [
        "deb http://mirror/debian trixie main",
        "deb http://mirror/debian trixie-updates main",
        "deb http://mirror/security trixie-security main",
    ]


def test_sources_are_debians_own_where_the_machine_has_no_debian_mirror() -> None:
    assert borrowed.source_lines("bookworm", "Ubuntu|Ubuntu|http://mirror/ubuntu/\n") == [
        "deb http://deb.debian.org/debian bookworm main",
        "deb http://deb.debian.org/debian bookworm-updates main",
        "deb http://deb.debian.org/debian-security bookworm-security main",
    ]


def test_a_name_server_on_loopback_is_of_no_use_to_hosts() -> None:
    assert borrowed.on_loopback(["# stub", "nameserver 127.0.0.53", "options edns0"])
    assert not borrowed.on_loopback(["nameserver 127.0.0.1", "nameserver 192.0.2.53"])
    assert not borrowed.on_loopback(["search example.com"])
