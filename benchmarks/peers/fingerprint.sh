# Print the state that a deploy left on a host: kind, key and value, tab-separated. Runs as root; only reads.
set -u
export LC_ALL=C
tab=$(printf '\t')

dpkg-query -W -f 'package\t${binary:Package}\t${Version} ${db:Status-Status}\n'

for user in astro postgres; do
    getent passwd "$user" | awk -F: '{ printf "user\t%s\thome %s, shell %s\n", $1, $6, $7 }'
done

# A folder's own line, then its contents; a link named here is followed to its folder.
for place in /etc/systemd/system/airflow@* /etc/default/airflow* /etc/hosts /etc/postgresql /home/astro \
    /usr/local/airflow /usr/local/airflow/dags/; do
    [ -e "$place" ] || continue
    find "$place" \( -path /usr/local/airflow/logs -o -name __pycache__ \
        -o -name '.cache' -o -name '.ansible' -o -name '.local' \) -prune -o -print
done | sort -u | while read -r path; do
    what=$(stat -c '%F %A %U:%G' "$path")
    case $what in
        'regular '*) what="$what $(sha256sum <"$path" | cut -c1-16)" ;;
        'symbolic '*) what="$what $(readlink "$path")" ;;
    esac
    printf 'file\t%s\t%s\n' "$path" "$what"
done

for unit in postgresql.service airflow@scheduler.service airflow@dag-processor.service airflow@triggerer.service \
    airflow@webserver.service airflow@worker.service; do
    printf 'unit\t%s\t%s\n' "$unit" "$(systemctl show -p UnitFileState -p ActiveState --value "$unit" | tr '\n' ' ')"
done

if command -v psql >/dev/null; then
    cd /
    runuser -u postgres -- psql -XAtq -F "$tab" -d postgres <<SQL
SELECT 'role', rolname, format('login %s, superuser %s, %s', rolcanlogin, rolsuper, left(rolpassword, 18))
    FROM pg_authid WHERE rolname NOT LIKE 'pg\\_%';
SELECT 'database', datname, format('%s, %s', pg_get_userbyid(datdba), pg_encoding_to_char(encoding)) FROM pg_database;
SELECT 'hba', line_number, concat_ws(' ', type, database, user_name, address, netmask, auth_method)
    FROM pg_hba_file_rules;
SELECT 'setting', name, setting FROM pg_settings WHERE name IN ('listen_addresses', 'port', 'password_encryption');
SQL
fi

python=/opt/aerodrome/airflow/venv/bin/python
if [ -x "$python" ]; then
    "$python" -I - <<PYTHON
from importlib.metadata import distributions
for each in distributions():
    print("python", each.metadata["Name"].lower().replace("_", "-"), each.version, sep="\t")
PYTHON
fi
