"""Which addresses a connection may reach: not this machine's, a cloud's metadata or dbrag's own, unless allowed."""

import socket
from collections.abc import Callable, Iterable
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple
from urllib.parse import urlsplit

from psycopg.conninfo import conninfo_to_dict

from dbrag.catalog.dsn import DEFAULT_PORT, Dsn, Host
from dbrag.errors import Fault, Invalid, Transient
from dbrag.settings import OWN, Settings

Address = IPv4Address | IPv6Address
LOOPBACK = IPv4Address("127.0.0.1")
REDIS_PORT = 6379
MOST_ADDRESSES = 4
"""Addresses of one DSN that are tried: each may take the whole connect timeout, and a task has its limits."""

REFUSED = [
    ip_network(network)
    for network in (
        "0.0.0.0/8",  # reaches this machine, as loopback does
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, with most clouds' metadata (169.254.169.254)
        "100.100.100.200/32",  # metadata: Alibaba
        "168.63.129.16/32",  # metadata: Azure's wire server
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/96",  # unspecified, loopback, and IPv4 addresses in a form that is no longer in use
        "fe80::/10",
        "ff00::/8",
        "fd00:ec2::254/128",  # metadata: AWS
        "fd20:ce::254/128",  # metadata: Google
    )
]
# RFC 6052 and RFC 8215: their last 32 bits are an IPv4 address, to which a gateway translates.
_NAT64 = [ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48")]


class _Own(NamedTuple):
    """A server of dbrag; `database` is None for Redis, of which nothing may be reached."""

    host: str
    port: int
    database: str | None


def check_named(dsn: Dsn, settings: Settings) -> None:
    """Refuses what can be seen from the DSN alone: for the API, which asks no DNS.

    Raises: Invalid (`address_refused`).
    """
    own = list(_own_servers(settings))
    for host in dsn.hosts:
        same_name = [_Own(host.name.lower(), host.port, name) for name in (dsn.database, None)]
        if OWN not in settings.connections_allow and any(server in own for server in same_name):
            raise _refusal()
        for address in _literal(host.name):
            _check(address, host.port, dsn.database, settings, _literal)


def resolve(dsn: Dsn, settings: Settings) -> Dsn:
    """The DSN with the addresses of its hosts, so that what was checked here is what libpq connects to.

    Raises: Invalid (`address_refused`) where any of a host's addresses is refused; Transient (`source_unreachable`)
    where a name has none.
    """
    hosts: list[Host] = []
    for host in dsn.hosts:
        addresses = _look_up(host.name)
        if not addresses:
            raise Transient(
                "The database cannot be reached: the name of its host has no address.", code="source_unreachable"
            )
        for address in addresses:
            _check(address, host.port, dsn.database, settings, _look_up)
        hosts += [host] if host.is_socket else [host._replace(address=str(address)) for address in addresses]
    return replace(dsn, hosts=tuple(hosts[:MOST_ADDRESSES]))


def _check(
    address: Address, port: int, database: str, settings: Settings, find: Callable[[str], list[Address]]
) -> None:
    """`find` says which addresses the names of dbrag's own servers have."""
    plain = _plain(address)
    for own in _own_servers(settings):
        same_place = own.port == port and any(_place(plain) == _place(_plain(other)) for other in find(own.host))
        if same_place and own.database in (None, database):
            if OWN in settings.connections_allow:
                return
            raise _refusal()
    allowed = any(form in network for network in settings.allowed_networks for form in (address, plain))
    if not allowed and any(plain in network for network in REFUSED):
        raise _refusal()


def _own_servers(settings: Settings) -> Iterable[_Own]:
    database = {name: str(value) for name, value in conninfo_to_dict(settings.database_url.get_secret_value()).items()}
    names = (database.get("host", "") + "," + database.get("hostaddr", "")).split(",")
    ports = [int(port or DEFAULT_PORT) for port in database.get("port", "").split(",")]
    for name in names:
        for port in ports:
            yield _Own(name.lower() or "/", port, database.get("dbname", database.get("user")))
    for url in (settings.celery_broker_url, settings.cache_url):
        # Sentinels are separated by semicolons.
        for part in url.get_secret_value().split(";") if url else ():
            parts = urlsplit(part)
            if parts.hostname:
                yield _Own(parts.hostname, parts.port or REDIS_PORT, None)


def _literal(name: str) -> list[Address]:
    """The address that a name stands for without DNS, in any notation that the C library takes, such as `127.1`."""
    if name.startswith(("/", "@")) or name.lower().rstrip(".") == "localhost" or name.lower().endswith(".localhost"):
        return [LOOPBACK]
    return _addresses(name, socket.AI_NUMERICHOST)


def _look_up(name: str) -> list[Address]:
    return _literal(name)[:1] if name.startswith(("/", "@")) else _addresses(name, 0)


def _addresses(name: str, flags: int) -> list[Address]:
    try:
        answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM, flags=flags)
    except (OSError, UnicodeError):  # a name that no label may have is a UnicodeError
        return []
    return [ip_address(answer[4][0]) for answer in answers]


def _plain(address: Address) -> Address:
    """The IPv4 address that one of version 6 leads to, where it is a form of one."""
    if isinstance(address, IPv4Address):
        return address
    if any(address in network for network in _NAT64):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _place(address: Address) -> Address:
    """The same for all addresses by which this machine reaches itself."""
    return LOOPBACK if address.is_loopback or address.is_unspecified else address


def _refusal() -> Invalid:
    detail = (
        "This address is refused: it is this machine's own, link-local, a cloud's metadata service or one of dbrag's "
        "own servers. An operator can allow it with DBRAG_CONNECTIONS_ALLOW."
    )
    return Invalid(detail, code="address_refused", faults=(Fault("/dsn", detail),))
