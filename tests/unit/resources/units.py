"""What `systemctl show` of systemd 252 printed."""

from __future__ import annotations

from aerodrome.resources.systemd import Service

RUNS = """\
MainPID=50
NRestarts=0
ExecMainStartTimestamp=Sun 2026-11-22 21:14:23 UTC
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
NeedDaemonReload=no
InvocationID=0123abcd
"""


STALE = RUNS.replace("NeedDaemonReload=no", "NeedDaemonReload=yes")


STARTED = 1795382063  # date -u -d '2026-11-22 21:14:23' +%s


BETWEEN_CRASHES = """\
MainPID=0
NRestarts=1
ExecMainStartTimestamp=Sun 2026-11-22 21:14:53 UTC
LoadState=loaded
ActiveState=activating
SubState=auto-restart
UnitFileState=enabled
NeedDaemonReload=no
"""


GIVEN_UP = """\
MainPID=0
NRestarts=5
ExecMainStartTimestamp=Sun 2026-11-22 21:14:23 UTC
LoadState=loaded
ActiveState=failed
SubState=failed
UnitFileState=enabled
NeedDaemonReload=no
"""


UNIT = "airflow@worker.service"


CONTENT = """\
content() {
if [ -h "$1" ]; then echo "content $(readlink "$1") $1"
elif [ -f "$1" ] && [ -O "$1" ]; then digest=$(dd if="$1" iflag=nofollow,nonblock,fullblock,count_bytes bs=64K \
count=4194304 status=none | sha256sum); echo "content ${digest%% *} $1"; fi
}"""


NOTED = """\
noted() {
n='
'
about=$n$reads$n; about=${about%%" $1$n"*}; about=${about##*"$n"}; known=$n
[ -n "$about" ] || return 0 # it is gone, or no longer read
[ ! -r /run/aerodrome/contents ] || while IFS= read -r note; do known=$known$note$n; done </run/aerodrome/contents
rest=${known#*"$n$about content "}; digest=${rest%% *}; note="content $digest $1"
case $known in *"$n$about $note$n"*) ;; *)
note=$(content "$1")
[ -z "$note" ] || (umask 077; [ ${#known} -lt 8192 ] || : >/run/aerodrome/contents
printf '%s\\n' "$about $note" >>/run/aerodrome/contents) ;; esac
[ -z "$note" ] || printf '%s\\n' "$note"
}"""


IF_CHANGED = 'case $line in "reads "*) case $reads in *"$line"*) ;; *) noted "${line#reads * * * }" ;; esac ;; esac'


SERVICE = Service(UNIT, ("/etc/default/airflow", "/home/astro/airflow-venv"))


def reads(*times: int) -> str:
    """Return what a probe prints of the files that SERVICE reads."""
    return "".join(f"reads {time}.5 3 77 {path}\n" for time, path in zip(times, SERVICE.reads, strict=False))


def record(*times: int, start: str = "0123abcd") -> str:
    """Return what a probe prints of the record of SERVICE's last start."""
    lines = [f"InvocationID={start}", *reads(*times).splitlines()]
    return "".join(f"record {line}\n" for line in lines)
