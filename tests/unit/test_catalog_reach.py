"""Addresses that a connection may not reach, in all their disguises."""

import socket

import pytest
from pydantic import ValidationError

from dbrag.catalog.dsn import parse
from dbrag.catalog.reach import MOST_ADDRESSES, check_named, resolve
from dbrag.errors import Invalid, Transient
from dbrag.settings import Settings

URLS = {
    "database_url": "postgresql://dbrag:x@10.0.0.5:5432/dbrag",
    "celery_broker_url": "redis://:x@10.0.0.6:6379/0",
    "cache_url": "rediss://cache.example.com/1",
}
REFUSED = [
    "127.0.0.1",
    "127.9.9.9",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "0.0.0.0",
    "0",
    "localhost",
    "LOCALHOST.",
    "db.localhost",
    "/var/run/postgresql",
    "@abstract",
    "169.254.169.254",
    "169.254.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b:1::a9fe:a9fe",
    "2002:7f00:1::1",
    "fe80::1",
    "fe80::1%lo",
    "ff02::1",
    "fd00:ec2::254",
    "93.184.215.14,127.0.0.1",
]


def settings(*allow: str, **urls: str) -> Settings:
    return Settings.model_validate(URLS | urls | {"connections_allow": list(allow)})


def named(host: str, *allow: str, port: int = 5432, database: str = "shop", **urls: str) -> None:
    check_named(parse(f"host={host} port={port} user=u dbname={database}"), settings(*allow, **urls))


@pytest.mark.parametrize("host", REFUSED)
def test_it_is_refused_by_both_steps(host: str) -> None:
    with pytest.raises(Invalid, match="DBRAG_CONNECTIONS_ALLOW") as caught:
        named(host)
    assert caught.value.code == "address_refused"
    if host not in ("LOCALHOST.", "db.localhost", "fe80::1%lo"):  # whether these have an address depends on the machine
        with pytest.raises(Invalid, match="DBRAG_CONNECTIONS_ALLOW"):
            resolve(parse(f"host={host} user=u dbname=shop"), settings())


@pytest.mark.parametrize(
    "host", ["93.184.215.14", "10.0.0.7", "192.168.1.1", "2001:db8::1", "db.example.com", "fd12::1"]
)
def test_other_addresses_and_private_networks_are_not(host: str) -> None:
    named(host)


def test_a_name_is_not_looked_up_by_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = socket.getaddrinfo

    def watched(*args: object, flags: int = 0, **others: object) -> object:
        asked.append(flags)
        return real(*args, flags=flags, **others)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", watched)
    named("db.example.com")
    assert asked
    assert set(asked) == {socket.AI_NUMERICHOST}


@pytest.mark.parametrize(
    ("host", "allow"),
    [
        ("127.0.0.1", "127.0.0.0/8"),
        ("::ffff:127.0.0.1", "127.0.0.0/8"),
        ("localhost", "127.0.0.0/8"),
        ("/var/run/postgresql", "127.0.0.1/32"),
        ("::1", "::1/128"),
        ("169.254.169.254", "169.254.169.254"),
        ("64:ff9b::7f00:1", "64:ff9b::/96"),
    ],
)
def test_a_network_that_is_allowed_may_be_reached(host: str, allow: str) -> None:
    named(host, allow)
    with pytest.raises(Invalid):
        named(host, "10.0.0.0/8", "own")


OWN = [
    ("10.0.0.5", 5432, "dbrag"),
    ("::ffff:10.0.0.5", 5432, "dbrag"),
    ("10.0.0.6", 6379, "shop"),
    ("CACHE.example.com", 6379, "shop"),
]


@pytest.mark.parametrize(("host", "port", "database"), OWN)
def test_only_the_word_own_allows_dbrags_servers(host: str, port: int, database: str) -> None:
    for allow in ((), ("0.0.0.0/0", "::/0")):
        with pytest.raises(Invalid, match="dbrag's own"):
            named(host, *allow, port=port, database=database)
    named(host, "own", port=port, database=database)
    named(host, port=port + 1, database=database)


def test_another_database_of_the_own_server_is_none_of_dbrags() -> None:
    named("10.0.0.5", database="shop")


def test_loopback_has_many_addresses_and_is_one_place() -> None:
    own = "postgresql://dbrag:x@localhost:5432/dbrag"
    for host in ("127.0.0.1", "127.0.0.2", "::1", "0.0.0.0", "/tmp"):
        with pytest.raises(Invalid, match="dbrag's own"):
            named(host, "127.0.0.0/8", "::/0", "0.0.0.0/8", database="dbrag", database_url=own)


def test_own_servers_are_known_in_every_notation() -> None:
    sentinels = "sentinel://:x@10.0.0.8:26379;sentinel://:x@10.0.0.9:26379"
    with pytest.raises(Invalid):
        named("10.0.0.9", port=26379, celery_broker_url=sentinels)
    with pytest.raises(Invalid):
        named("10.0.0.4", port=6432, database="x", database_url="host=10.0.0.3,10.0.0.4 port=6432 dbname=x")


def test_addresses_are_pinned_and_names_kept_for_tls() -> None:
    dsn = resolve(parse("host=localhost,10.0.0.7 port=1,2 user=u dbname=d"), settings("127.0.0.0/8", "::1/128"))
    assert ("localhost", 1, "127.0.0.1") in dsn.hosts
    assert ("10.0.0.7", 2, "10.0.0.7") in dsn.hosts


def test_not_too_many_addresses_are_tried() -> None:
    hosts = ",".join(f"10.1.0.{number}" for number in range(9))
    assert len(resolve(parse(f"host={hosts} user=u dbname=d"), settings()).hosts) == MOST_ADDRESSES


@pytest.mark.parametrize("host", ["nothing.invalid", "x" * 64 + ".invalid", "..", "ä" * 80])
def test_a_name_without_an_address_is_a_passing_failure(host: str) -> None:
    with pytest.raises(Transient, match="no address") as caught:
        resolve(parse(f"host={host} user=u dbname=d"), settings())
    assert caught.value.code == "source_unreachable"
    named(host)


@pytest.mark.parametrize("word", ["127.0.0.1/8", "localhost", "", "Own", "10.0.0.0/33"])
def test_a_setting_that_is_no_network_is_refused_at_start(word: str) -> None:
    with pytest.raises(ValidationError, match="DBRAG_CONNECTIONS_ALLOW must hold networks"):
        settings(word)
