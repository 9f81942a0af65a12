"""Which addresses connections may reach: not this machine, not a cloud's metadata, not dbrag's own servers.

Looked at twice: when a connection is put, by what its DSN says, and when it is opened, by what its names stand for then.
"""

import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias
from urllib.parse import urlsplit

from psycopg.conninfo import conninfo_to_dict

from dbrag.catalog.dsn import PORT, Dsn
from dbrag.errors import Fault, Invalid, Transient
from dbrag.settings import Settings

Address: TypeAlias = IPv4Address | IPv6Address
OWN = "own"
# AWS and others (also as IPv6), Alibaba, Oracle; the first is link-local, too.
METADATA = {ip_address(text) for text in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "192.0.0.192")}
NAT64 = IPv6Network("64:ff9b::/96")
LOOPBACK = ip_address("127.0.0.1")
REDIS_PORT = 6379
LOOKUP_FAILED = "the name of its host cannot be looked up"


class AddressRefused(Invalid):
    """An address that the settings do not allow."""

    code = "address_refused"

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(f"this address may not be reached: {why}. {remedy}", faults=(Fault("/dsn", why),))


def check_named(dsn: Dsn, settings: Settings) -> None:
    """Refuses what can be refused without asking a name server. Raises: AddressRefused."""
    for host, port in dsn.hosts:
        address = _literal(host)
        _check_own_name(dsn, host, port, settings)
        if address is not None:
            _check(dsn, address, port, settings)


def resolved(dsn: Dsn, settings: Settings) -> dict[str, str]:
    """libpq's parameters with each host pinned to an address that was looked at, so that a second answer of the name
    server cannot lead elsewhere. TLS still checks the name.

    Raises: AddressRefused; Transient where a name cannot be looked up.
    """
    hosts: list[str] = []
    pinned: list[str] = []
    ports: list[str] = []
    for host, port in dsn.hosts:
        _check_own_name(dsn, host, port, settings)
        if host.startswith(("/", "@")):
            _check(dsn, LOOPBACK, port, settings)
            addresses = [""]
        else:
            found = list(_look_up(host, port))
            for address in found:
                _check(dsn, address, port, settings)
            addresses = [str(address) for address in found]
        for address in addresses:
            hosts.append(host)
            pinned.append(address)
            ports.append(port)
    return dsn.parameters | {"host": ",".join(hosts), "hostaddr": ",".join(pinned), "port": ",".join(ports)}


def is_inside(address: Address) -> bool:
    """Whether it leads to this machine, its link, a cloud's metadata service, or nowhere in particular."""
    address = _unwrapped(address)
    return (
        address in METADATA
        or address.is_loopback
        or address.is_link_local
        or address.is_unspecified
        or address.is_multicast
    )


def _unwrapped(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address in NAT64:
            return IPv4Address(int(address) & 0xFFFF_FFFF)
        if address.sixtofour:
            return address.sixtofour
    return address


def _literal(host: str) -> Address | None:
    """The address that a host stands for without a name server; None for a name."""
    if host.startswith(("/", "@")) or host.rstrip(".").lower() == "localhost" or host.lower().endswith(".localhost"):
        return LOOPBACK
    try:
        return ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        pass
    try:  # 127.1, 0x7f000001, 2130706433: what the resolver takes for an IPv4 address
        return IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _look_up(host: str, port: str) -> Iterator[Address]:
    try:
        found = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Transient(LOOKUP_FAILED, code="source_unreachable") from None
    for address in dict.fromkeys(str(entry[4][0]) for entry in found):
        yield ip_address(address.partition("%")[0])


def _check(dsn: Dsn, address: Address, port: str, settings: Settings) -> None:
    if OWN not in settings.connections_allow:
        real = _unwrapped(address)
        for own_host, own_port, own_database in _own_servers(settings):
            same = own_port == port and real in _addresses(own_host, own_port)
            if same and own_database in (None, dsn.database):
                raise _own(own_database)
    if is_inside(address) and not any(
        _unwrapped(address) in ip_network(network) for network in settings.connections_allow if network != OWN
    ):
        raise AddressRefused(
            "it is loopback, link-local, or a cloud's metadata service",
            "The operator can allow it in DBRAG_CONNECTIONS_ALLOW",
        )


def _check_own_name(dsn: Dsn, host: str, port: str, settings: Settings) -> None:
    """By name, where no address is known yet."""
    if OWN in settings.connections_allow:
        return
    for own_host, own_port, own_database in _own_servers(settings):
        if (host.lower(), port) == (own_host.lower(), own_port) and own_database in (None, dsn.database):
            raise _own(own_database)


def _own(database: str | None) -> AddressRefused:
    what = "it is dbrag's own database" if database else "it is dbrag's own broker or cache"
    return AddressRefused(what, "The operator can allow that with the word `own` in DBRAG_CONNECTIONS_ALLOW")


def _own_servers(settings: Settings) -> Iterator[tuple[str, str, str | None]]:
    """Hosts and ports of dbrag's own servers, and for PostgreSQL the database; nobody else's data is in there."""
    own = conninfo_to_dict(settings.database_url.get_secret_value())
    for host in str(own.get("host") or "localhost").split(","):
        yield host, str(own.get("port") or PORT).partition(",")[0], str(own.get("dbname") or own.get("user") or "")
    for url in (settings.celery_broker_url, settings.cache_url):
        for part in url.get_secret_value().split(";") if url else []:
            parts = urlsplit(part)
            yield parts.hostname or "localhost", str(parts.port or REDIS_PORT), None


def _addresses(host: str, port: str) -> set[Address]:
    literal = _literal(host)
    if literal is not None:
        return {_unwrapped(literal)}
    try:
        return {_unwrapped(address) for address in _look_up(host, port)}
    except Transient:  # by its name it was compared already
        return set()
