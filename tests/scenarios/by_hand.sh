#!/bin/sh
# Sets up Airflow on this one host by hand, after the guide "Running Astronomer Certified in Production", as somebody
# did it years ago: its commands and files in its order and to the letter, and what the guide leaves to the reader.
#
# In the environment: PYTHON (3.7), INDEX_URL (has astronomer-certified), CONSTRAINTS (a file: what pip would have found
# in those years), PASSWORD (of the database user; letters and digits), SAVED (of the connection that is saved), DAGS
# (a folder with DAGs).
set -eux
export DEBIAN_FRONTEND=noninteractive

# Prerequisites. Python 3.7 is there already, as is the "text editor of your choice": cat.
apt-get install -q -y --no-install-recommends sudo python3 python3-dev gcc postgresql

# Step 1: Set Up the Database
sudo -u postgres createuser airflow
# What createuser -P would ask for on a terminal.
echo "ALTER USER airflow PASSWORD '$PASSWORD'" | sudo -u postgres psql -q
sudo -u postgres createdb --owner airflow airflow

# Step 2 A: Create a system user to run Airflow
sudo useradd --shell=/bin/false --create-home astro
sudo install --owner=astro --group=astro -d /usr/local/airflow
echo 'export AIRFLOW_HOME=/usr/local/airflow' | sudo tee --append ~astro/.bashrc

# Step 2 B: Create a virtual environment
sudo -u astro "$PYTHON" -m venv ~astro/airflow-venv

# Step 2 C: Install Astronomer Core. The index has no TLS, and pip leaves such a one out unless it is told to trust it.
# With wheel, pip keeps in its cache what it has built.
index=${INDEX_URL#*://}
sudo -u astro ~astro/airflow-venv/bin/pip install -q wheel==0.34.2
sudo -u astro ~astro/airflow-venv/bin/pip install -q --trusted-host "${index%%[:/]*}" --constraint "$CONSTRAINTS" \
  --extra-index-url="$INDEX_URL" 'astronomer-certified[postgres,celery,crypto]==1.10.10.*'

# Step 2 D: Configure a process supervisor
cat >/etc/systemd/system/astronomer-certified@.service <<'END'
[Unit]
Description=Airflow %I daemon
After=network-online.target cloud-config.service
Requires=network-online.target

[Service]
EnvironmentFile=/etc/default/astronomer-certified
User=astro
Group=astro
Type=simple
WorkingDirectory=/usr/local/airflow/
ExecStart=/home/astro/airflow-venv/bin/airflow %i
Restart=always
RestartSec=5s

[Install]
WantedBy=multi-user.target
END

# The guide's PATH=$PATH:… is the one line that is not to the letter: systemd expands nothing, so no task would find
# bash. Whoever has run tasks with it has written the path out.
install -m 0600 /dev/null /etc/default/astronomer-certified
cat >/etc/default/astronomer-certified <<END
AIRFLOW_HOME=/usr/local/airflow/
AIRFLOW__CORE__LOAD_EXAMPLES=False
PATH=/home/astro/airflow-venv/bin:/usr/local/bin:/usr/bin:/bin

AIRFLOW__CORE__SQL_ALCHEMY_CONN=postgresql://airflow:$PASSWORD@localhost/airflow
AIRFLOW__CELERY__BROKER_URL=sqla+postgresql://airflow:$PASSWORD@localhost/airflow
AIRFLOW__CELERY__RESULT_BACKEND=db+postgresql://airflow:$PASSWORD@localhost/airflow
AIRFLOW__CORE__EXECUTOR=CeleryExecutor

#AIRFLOW__CORE__SQL_ALCHEMY_CONN=postgresql://airflow:formerPassword@localhost/airflow
# Lines of the team's own.
AIRFLOW__CORE__PARALLELISM=7
AIRFLOW__CELERY__WORKER_CONCURRENCY=2
TEAM_NAME="data platform"
AIRFLOW_CONN_BILLING=postgres://billing:by-hand-4711@billing.example.com/billing
  INDENTED = 'it''s "so"'
GREETING="first line
SECOND=line, \"quoted\" and \\\\ escaped
# no comment"
LAST=1
END

# "Where you'll store your DAGs"
sudo cp -rT "$DAGS" /usr/local/airflow/dags
sudo chown -R astro: /usr/local/airflow/dags

# Step 3: Set Up the Scheduler. `systemctl edit` leaves this file behind.
sudo systemctl enable astronomer-certified@scheduler.service
mkdir /etc/systemd/system/astronomer-certified@scheduler.service.d
cat >/etc/systemd/system/astronomer-certified@scheduler.service.d/override.conf <<'END'
[Service]
ExecStartPre=/home/astro/airflow-venv/bin/airflow upgradedb
END
sudo systemctl daemon-reload
sudo systemctl start astronomer-certified@scheduler.service

# Step 4: Set Up the Webserver
sudo systemctl enable astronomer-certified@webserver.service
sudo systemctl start astronomer-certified@webserver.service

# Step 5: Set Up the Worker Machines, with a drop-in of the team's own
mkdir /etc/systemd/system/astronomer-certified@worker.service.d
cat >/etc/systemd/system/astronomer-certified@worker.service.d/limits.conf <<'END'
[Service]
LimitNOFILE=4096
END
sudo systemctl enable astronomer-certified@worker.service
sudo systemctl start astronomer-certified@worker.service

# What has been stored since, encrypted with the key that Airflow made for itself in airflow.cfg.
airflow() {
  systemd-run -q --pipe --wait -p User=astro -p EnvironmentFile=/etc/default/astronomer-certified \
    /home/astro/airflow-venv/bin/airflow "$@"
}
airflow connections -a --conn_id warehouse --conn_type http --conn_password "$SAVED"
airflow variables -s season winter
for dag in "$DAGS"/*.py; do airflow unpause "$(basename "$dag" .py)"; done
