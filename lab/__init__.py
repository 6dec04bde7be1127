"""A practice fleet on this machine: real hosts, each with systemd, sshd and its own address."""
