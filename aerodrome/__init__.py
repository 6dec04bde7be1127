"""Aerodrome: Apache Airflow in production on your own Linux machines."""
