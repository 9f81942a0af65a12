"""A DSN as a user gives it: taken apart, and refused where it asks for more than a way to a database."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

from dbrag.errors import Fault, Invalid

MAX_CHARACTERS = 4096
CONNECT_TIMEOUTS_S = range(2, 11)
_FILE, _ABSOLUTE = "the absolute path of a file on the workers", r"/[^:]+"
# What a parameter's value looks like, in words and as a pattern. What is missing here is refused: libpq would read
# files of the worker for it (service, passfile), one of which may be another tenant's (sslcert, sslkey), lead it to
# another address (hostaddr), or change its settings (options).
_ALLOWED = {
    "sslmode": ("one of libpq's modes", "disable|allow|prefer|require|verify-ca|verify-full"),
    "sslrootcert": (f"`system`, or {_FILE}", f"system|{_ABSOLUTE}"),
    "sslcrl": (_FILE, _ABSOLUTE),
    "ssl_min_protocol_version": ("TLSv1.2 or TLSv1.3", r"TLSv1\.[23]"),
    "sslnegotiation": ("postgres or direct", "postgres|direct"),
    "channel_binding": ("disable, prefer or require", "disable|prefer|require"),
    "target_session_attrs": (
        "one of libpq's words",
        "any|read-write|read-only|primary|standby|prefer-standby",
    ),
    "connect_timeout": (f"{CONNECT_TIMEOUTS_S[0]} to {CONNECT_TIMEOUTS_S[-1]} seconds", r"\d{1,9}"),
}
_PLACES = {"host", "port", "dbname", "user", "password"}
DEFAULT_PORT = 5432


class Host(NamedTuple):
    """One server of a DSN; `name` may be an address, or the folder of a socket. `address`: what it was resolved to."""

    name: str
    port: int
    address: str = ""

    @property
    def is_socket(self) -> bool:
        return self.name.startswith(("/", "@"))


@dataclass(frozen=True, slots=True)
class Dsn:
    """Where a database is, and as whom to open it; `parameters` are libpq's for TLS and such."""

    hosts: tuple[Host, ...]
    database: str
    user: str
    password: SecretStr | None
    parameters: Mapping[str, str]

    @property
    def shown(self) -> dict[str, str]:
        """What its owner is shown of it."""
        return {
            "host": ",".join(host.name for host in self.hosts),
            "port": ",".join(str(host.port) for host in self.hosts),
            "database": self.database,
            "user": self.user,
            "sslmode": self.parameters.get("sslmode", "prefer"),
        }


def parse(dsn: str) -> Dsn:
    """Takes a libpq URI or `key=value` words apart.

    Raises: Invalid, whose sentences quote nothing of the DSN but names of parameters.
    """
    given = _given(dsn)
    for name, value in given.items():
        _check(name, value)
    missing = [name for name in ("host", "user", "dbname") if not given.get(name)]
    if missing:
        raise _refusal(f"It must say {' and '.join(missing)}: nothing is taken from the environment of the workers.")
    return Dsn(
        hosts=_hosts(given["host"], given.get("port", "")),
        database=given["dbname"],
        user=given["user"],
        password=SecretStr(given["password"]) if given.get("password") else None,
        parameters={name: value for name, value in given.items() if name in _ALLOWED},
    )


def _given(dsn: str) -> dict[str, str]:
    if len(dsn) > MAX_CHARACTERS or "\0" in dsn:
        raise _refusal(f"It must be shorter than {MAX_CHARACTERS} characters, and without NUL.")
    try:
        return {name: str(value) for name, value in conninfo_to_dict(dsn).items()}
    except (psycopg.Error, UnicodeError):
        pass  # libpq's message quotes the DSN: it must not hang on what is raised, as `from exc` would let it
    raise _refusal(
        "It is neither a URI such as postgresql://user:password@host:5432/database nor libpq's key=value words."
    )


def _check(name: str, value: str) -> None:
    if name in _PLACES:
        return
    if name not in _ALLOWED:
        raise _refusal(f"The parameter {name} is not allowed; these are: {', '.join(sorted(_PLACES | set(_ALLOWED)))}.")
    words, pattern = _ALLOWED[name]
    if not re.fullmatch(pattern, value) or (name == "connect_timeout" and int(value) not in CONNECT_TIMEOUTS_S):
        raise _refusal(f"The parameter {name} must be {words}.")


def _hosts(hosts: str, ports: str) -> tuple[Host, ...]:
    names, numbers = hosts.split(","), [_port(port) for port in ports.split(",")]
    if len(numbers) == 1:
        numbers *= len(names)
    if len(numbers) != len(names) or not all(names):
        raise _refusal("Each of several hosts must have a name, and a port of its own or all the same.")
    return tuple(Host(name, port) for name, port in zip(names, numbers, strict=True))


def _port(given: str) -> int:
    if not given:
        return DEFAULT_PORT
    if not re.fullmatch(r"[0-9]{1,5}", given) or not 0 < int(given) < 65_536:
        raise _refusal("A port must be a number from 1 to 65535.")
    return int(given)


def _refusal(detail: str) -> Invalid:
    return Invalid("The DSN cannot be used.", faults=(Fault("/dsn", detail),))
