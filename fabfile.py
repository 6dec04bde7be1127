"""The namespace: which task has which name. No logic, and no input or output: tab completion imports this."""

from invoke import Collection

from tasks import (
    airflow,
    backup,
    dags,
    database,
    demo,
    deploy,
    history,
    hosts,
    lab,
    lock,
    logs,
    node,
    pin,
    plan,
    redis,
    releases,
    restore,
    roles,
    status,
    undo,
    units,
    upgrade,
    users,
)

namespace = Collection(
    deploy.deploy,
    plan.plan,
    database.setup_db,
    redis.setup_redis,
    node.setup_node,
    units.start,
    units.stop,
    units.restart,
    status.status,
    logs.logs,
    history.history,
    undo.undo,
    airflow.airflow,
    users.create_user,
    dags.deploy_dags,
    dags.rollback_dags,
    releases.releases,
    backup.backup,
    restore.drill,
    restore.restore,
    hosts.trust_hosts,
    hosts.run,
    pin.pin,
    demo.demo,
)
parts = (node.packages, node.user, node.hosts, node.venv, node.install, node.unit, node.environment)
namespace.add_collection(Collection("node", *parts))
namespace.add_collection(Collection("roles", *roles.role_tasks()))
namespace.add_collection(Collection("backups", backup.backups, backup.download, backup.prune))
namespace.add_collection(Collection("upgrade", upgrade.upgrade, upgrade.finish))
namespace.add_collection(Collection.from_module(lab))
namespace.add_collection(Collection.from_module(lock))
