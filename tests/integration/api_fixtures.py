"""Fixtures for tests of the API in this process, on a real database and broker without workers: jobs stay queued."""

from collections.abc import Callable, Iterator
from itertools import count

import pytest
from api_client import Call, caller

from api.app import Api, create_app
from dbrag.accounts import keys
from dbrag.accounts.model import Scope
from dbrag.database import migrate
from dbrag.database.pool import connect
from dbrag.devstack.servers import Servers
from dbrag.settings import Settings

NAMES = (f"collection-{number}" for number in count())


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with Servers.start(tmp_path_factory.mktemp("servers")) as running:
        yield running


@pytest.fixture(scope="session")
def api_settings(servers: Servers) -> Settings:
    """Small limits: bodies of 2 MiB, items of 1 MiB."""
    settings = Settings.model_validate({**servers.env, "max_body_mb": 2, "max_item_mb": 1})
    migrate.upgrade(settings)
    return settings


@pytest.fixture(scope="session")
def app(api_settings: Settings) -> Iterator[Api]:
    app = create_app(api_settings)
    yield app
    app.extensions["dbrag"].close()


@pytest.fixture(scope="session")
def key(api_settings: Settings) -> Callable[..., str]:
    """Makes a key with the given scopes (none: all) for a tenant."""

    def create(*scopes: Scope, tenant: str = "default") -> str:
        with connect(api_settings) as conn:
            return keys.create(conn, tenant, "test", scopes)

    return create


@pytest.fixture(scope="session")
def call(app: Api, key: Callable[..., str]) -> Call:
    return caller(app, key())


@pytest.fixture
def collection(call: Call) -> str:
    """The path of a new collection with vectors of 4 numbers."""
    path = f"/v1/collections/{next(NAMES)}"
    assert call("PUT", path, json={"dimensions": 4}).status_code == 201
    return path
