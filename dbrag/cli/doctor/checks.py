"""All checks, in order."""

from functools import partial

from dbrag.cli.doctor import api, database, provider, servers, workers
from dbrag.cli.doctor.model import Check, Finding, Subject, ok, skipped, wrong
from dbrag.settings import Settings


def checks(subject: Subject, *, ask_provider: bool) -> list[Check]:
    """What is looked at, each part after what it stands on."""
    settings, address = subject.settings, subject.address
    if isinstance(settings, str):
        found = [Check("settings", lambda: wrong(settings))]
    else:
        found = [Check("settings", lambda: ok("present and well-formed")), *_servers(settings, ask_provider)]
    if isinstance(address, str):
        return [*found, Check("API", lambda: skipped(address))]
    return [
        *found,
        Check("API", partial(api.check_api, address)),
        Check("API key", partial(api.check_key, address), ("API",)),
    ]


def _servers(settings: Settings, ask_provider: bool) -> list[Check]:
    postgres, broker, cache = "PostgreSQL", "broker", "cache"
    return [
        Check(postgres, partial(database.check_server, settings)),
        Check("pgvector", partial(database.check_pgvector, settings), (postgres,)),
        Check("schema", partial(database.check_schema, settings), (postgres,)),
        Check(broker, partial(servers.check_broker, settings)),
        Check("broker's eviction", partial(servers.check_broker_eviction, settings), (broker,)),
        Check("broker's persistence", partial(servers.check_broker_persistence, settings), (broker,)),
        Check(cache, partial(servers.check_cache, settings)),
        Check("two Redis servers", partial(servers.check_separation, settings), (broker, cache)),
        Check("provider", partial(provider.check_provider, settings) if ask_provider else _no_provider),
        Check("workers", partial(workers.check_workers, settings), (broker,)),
        Check("queues", partial(database.check_queues, settings), ("schema",)),
    ]


def _no_provider() -> Finding:
    return skipped("not asked (--no-provider)")
