"""Paths and unit names that belong to the operating system, and so cannot be used for Airflow."""

from __future__ import annotations

import re

# The system's own directories with everything below them (file-hierarchy(7), plus those of Debian and RHEL).
_TREES = """
    bin boot dev efi etc lib lib32 lib64 libx32 lost+found proc root run sbin sys tmp
    usr/bin usr/etc usr/games usr/include usr/lib usr/lib32 usr/lib64 usr/libexec usr/libx32 usr/sbin usr/share
    usr/src usr/tmp usr/local/bin usr/local/etc usr/local/games usr/local/include usr/local/lib usr/local/lib64
    usr/local/libexec usr/local/man usr/local/sbin usr/local/share usr/local/src
    var/backups var/db var/lib/aerodrome var/lib/apt var/lib/dbus var/lib/dnf var/lib/dpkg var/lib/pgsql
    var/lib/postgresql var/lib/redis var/lib/rpm var/lib/systemd var/lock var/mail var/run var/spool var/tmp
    var/cache/aerodrome opt/aerodrome"""
# Shared directories: Airflow can have a directory below one of them, but not one of these themselves.
_SHARED = "home media mnt opt srv usr usr/local var var/cache var/lib var/local var/log var/opt var/www"

# Units and files in /etc/default that distributions ship. Names missing here are refused on the host.
_UNITS = """
    accounts-daemon acpid anacron apache2 apparmor apport apt-daily apt-daily-upgrade atd auditd autofs autovt
    avahi-daemon blk-availability bluetooth bsdmainutils cacerts chrony chronyd cloud-config cloud-final cloud-init
    cloud-init-local collectd console-getty console-setup container-getty containerd cron crond cryptsetup cups
    dbus dbus-broker debug-shell dm-event dnsmasq docker dracut e2scrub emergency exim4 fail2ban firewalld fstrim
    getty grub grub2 haproxy haveged httpd hwclock ifup import-state initrd-cleanup initrd-switch-root irqbalance
    iscsid kdump kexec keyboard keyboard-setup kmod kubelet ldconfig libvirtd locale logrotate lvm2-monitor mariadb
    mdmonitor memcached microcode modprobe motd-news multipathd mysql mysqld named network networking
    networkd-dispatcher nfs-common nfs-kernel-server nfs-server nftables nginx nis nscd nslcd nss ntp ntpd
    ntpsec open-vm-tools packagekit plymouth podman polkit postfix postgres postgresql procps qemu-guest-agent
    quotaon rabbitmq-server rc-local redis redis-sentinel redis-server rescue resolvconf rpcbind rsync rsyslog
    samba saned selinux-autorelabel sendmail serial-getty slapd smartd smartmontools smbd snapd sssd ssh sshd
    sshd-keygen sudo sysstat telegraf thermald tmpfs tuned udev ufw unattended-upgrades unbound useradd user
    user-runtime-dir uuidd winbind wpa_supplicant x11-common xinetd"""
_UNIT_FAMILIES = ("systemd-", "initrd-", "dbus-org-", "lvm2-", "rpc-", "plymouth-", "grub2-", "sshd-", "postgresql-")


def home_problem(path: str) -> str:
    """Return why AIRFLOW_HOME cannot be at an absolute path, or an empty string."""
    bare = re.sub(r"/+", "/", path).strip("/")
    for tree in _TREES.split():
        if bare == tree or bare.startswith(f"{tree}/"):
            return f"{path} belongs to the system, as does everything in /{tree}"
    return f"{path} is shared with other software" if not bare or bare in _SHARED.split() else ""


def backup_problem(path: str) -> str:
    """Return why backups cannot be kept at an absolute path, or an empty string."""
    return "" if f"{path}/".startswith("/var/lib/aerodrome/backups/") else home_problem(path)


def service_problem(name: str) -> str:
    """Return why units cannot be called `name`, or an empty string."""
    if name in _UNITS.split() or name.startswith(_UNIT_FAMILIES):
        return f"{name} is the name of a system service"
    return ""
