"""Run on a node, as the service user, with the Python of the environment that is about to migrate the database."""

import sys

from probes.connection import connect
from probes.failure import first_line
from probes.found_connection import found_connection

# Airflow 1.10 has sequences for the ids of its ab_* tables, but no column default: it asks for the next value itself.
# A migration of 2 (849da589634d, Prefix DAG permissions) inserts without an id. It fails, and leaves the database
# half migrated.
LACKING = (
    "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name LIKE 'ab\\_%'"
    " AND column_name = 'id' AND column_default IS NULL AND is_identity = 'NO' ORDER BY 1"
)


def main(note: str, variable: str, public: "list[str]", database: str = "") -> None:
    """Set the defaults of the ids of Airflow 1.10's ab_* tables; `note` is the prefix of lines that are shown."""
    try:
        if not found_connection(variable):
            raise RuntimeError("this host has no connection to the database")
        connection = connect(variable, public, database)
        cursor = connection.cursor()
        cursor.execute(LACKING)
        tables = [row[0] for row in cursor.fetchall()]
        for table in tables:
            name, sequence = table.replace('"', '""'), f"{table}_id_seq".replace('"', '""')
            cursor.execute(f'ALTER TABLE "{name}" ALTER COLUMN id SET DEFAULT nextval(%s)', (f'"{sequence}"',))
            cursor.execute(f'ALTER SEQUENCE "{sequence}" OWNED BY "{name}".id')
        connection.commit()
        if tables:
            print(f"{note}repaired: ids of {', '.join(tables)} had no default, which Airflow 2 needs", flush=True)
    except Exception as error:
        print(first_line(error))
        sys.exit(1)
