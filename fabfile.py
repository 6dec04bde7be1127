"""The namespace: which task has which name. No logic, and no input or output: tab completion imports this."""

from invoke import Collection

from tasks import airflow, dags, database, demo, deploy, hosts, lab, lock, node, roles, service

namespace = Collection(
    deploy.deploy,
    deploy.plan,
    database.setup_db,
    node.setup_node,
    service.start,
    service.stop,
    service.restart,
    service.status,
    service.logs,
    airflow.airflow,
    airflow.create_user,
    dags.deploy_dags,
    hosts.trust_hosts,
    hosts.run,
    lock.lock,
    demo.demo,
)
for module in (node, roles, lab):
    namespace.add_collection(Collection.from_module(module))
