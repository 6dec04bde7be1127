#!/bin/sh
# Sets up Airflow on this one host by hand, after the guide "Running Astronomer Certified in Production", as somebody
# did it years ago: its commands and files in its order, with what the guide leaves to the reader filled in.
#
# In the environment: PYTHON, INDEX_URL (has astronomer-certified), CONSTRAINTS (a file: what pip found in those years),
# PASSWORD (of the database user; letters and digits).
set -eux
export DEBIAN_FRONTEND=noninteractive

# Prerequisites. Python 3.7 is there already, and "text editor of your choice" is cat.
apt-get install -q -y --no-install-recommends sudo python3 python3-dev gcc postgresql

# Step 1: Set Up the Database
sudo -u postgres createuser airflow
echo "ALTER USER airflow PASSWORD '$PASSWORD'" | sudo -u postgres psql -q # what -P does on a terminal
sudo -u postgres createdb --owner airflow airflow

# Step 2 A: Create a system user to run Airflow
sudo useradd --shell=/bin/false --create-home astro
sudo install --owner=astro --group=astro -d /usr/local/airflow
echo 'export AIRFLOW_HOME=/usr/local/airflow' | sudo tee --append ~astro/.bashrc

# Step 2 B: Create a virtual environment
sudo -u astro "$PYTHON" -m venv ~astro/airflow-venv

# Step 2 C: Install Astronomer Core
sudo -u astro ~astro/airflow-venv/bin/pip install -q wheel==0.34.2
sudo -u astro ~astro/airflow-venv/bin/pip install -q --constraint "$CONSTRAINTS" \
  --extra-index-url="$INDEX_URL" 'astronomer-certified[postgres,celery,crypto,password]==1.10.10.*'

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

# The guide says PATH=$PATH:…, which systemd takes literally: no task would find bash. Whoever ran it has noticed.
touch /etc/default/astronomer-certified
chmod 600 /etc/default/astronomer-certified
cat >/etc/default/astronomer-certified <<END
AIRFLOW_HOME=/usr/local/airflow/
AIRFLOW__CORE__LOAD_EXAMPLES=False
PATH=/home/astro/airflow-venv/bin:/usr/local/bin:/usr/bin:/bin
AIRFLOW__CORE__SQL_ALCHEMY_CONN=postgresql://airflow:$PASSWORD@localhost/airflow
AIRFLOW__CELERY__BROKER_URL=sqla+postgresql://airflow:$PASSWORD@localhost/airflow
AIRFLOW__CELERY__RESULT_BACKEND=db+postgresql://airflow:$PASSWORD@localhost/airflow
AIRFLOW__CORE__EXECUTOR=CeleryExecutor

# Lines of the team's own.
AIRFLOW__CORE__PARALLELISM=7
AIRFLOW__CELERY__WORKER_CONCURRENCY=2
TEAM_NAME="data platform"
WAREHOUSE_TOKEN=by-hand-token-4711
GREETING="first line
second = line"
END

# Step 3: Set Up the Scheduler; `systemctl edit` leaves this file behind.
sudo systemctl enable astronomer-certified@scheduler.service
mkdir /etc/systemd/system/astronomer-certified@scheduler.service.d
cat >/etc/systemd/system/astronomer-certified@scheduler.service.d/override.conf <<'END'
[Service]
ExecStartPre=/home/astro/airflow-venv/bin/airflow upgradedb
END
# A drop-in of the team's own.
mkdir /etc/systemd/system/astronomer-certified@worker.service.d
cat >/etc/systemd/system/astronomer-certified@worker.service.d/limits.conf <<'END'
[Service]
LimitNOFILE=4096
END
sudo systemctl daemon-reload
sudo systemctl start astronomer-certified@scheduler.service

# Step 4: Set Up the Webserver
sudo systemctl enable astronomer-certified@webserver.service
sudo systemctl start astronomer-certified@webserver.service

# Step 5: Set Up the Worker Machines
sudo systemctl enable astronomer-certified@worker.service
sudo systemctl start astronomer-certified@worker.service
