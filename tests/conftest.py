"""What all tests share: servers, and a running platform; both real, both started once."""

from collections.abc import Iterator

import pytest

from dbrag.devstack.servers import Servers
from tests.provider.process import ProviderServer
from tests.running import Platform


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One platform for all tests that need workers."""
    with ProviderServer() as provider, Servers.start(tmp_path_factory.mktemp("platform")) as servers:
        platform = Platform(servers, provider)
        yield platform
        platform.close()


@pytest.fixture
def platform(running: Platform) -> Iterator[Platform]:
    """The platform with a provider that behaves, and nothing counted; afterwards all must be well."""
    running.provider.script()
    running.provider.forget()
    yield running
    running.provider.script()
    running.check()
