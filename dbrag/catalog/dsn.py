"""What a connection's DSN may say: an address, an account and TLS; nothing that reaches into the worker."""

from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from dbrag.errors import Fault, Invalid

# Others could read the worker's files (passfile, service), set the session up otherwise (options), or name another
# address than the one that was looked at (hostaddr).
ALLOWED = {
    "host",
    "port",
    "dbname",
    "user",
    "password",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "sslcrl",
    "sslnegotiation",
    "ssl_min_protocol_version",
    "channel_binding",
    "target_session_attrs",
    "connect_timeout",
}
PORT = "5432"


@dataclass(frozen=True, slots=True)
class Dsn:
    """libpq's parameters; its text shows no password, and nobody is shown more than `shown()`."""

    parameters: dict[str, str] = field(repr=False)

    @property
    def database(self) -> str:
        return self.parameters["dbname"]

    @property
    def hosts(self) -> list[tuple[str, str]]:
        """The addresses that libpq tries, in order: (host, port); a host that is a path is a socket's folder."""
        hosts = self.parameters["host"].split(",")
        ports = self.parameters.get("port", PORT).split(",")
        ports = ports if len(ports) > 1 else ports * len(hosts)
        return [(host, port or PORT) for host, port in zip(hosts, ports, strict=True)]

    def shown(self) -> dict[str, Any]:
        """What its owner is shown."""
        return {
            "host": self.parameters["host"],
            "port": self.parameters.get("port", PORT),
            "database": self.database,
            "user": self.parameters["user"],
            "sslmode": self.parameters.get("sslmode"),
        }


def parse(url: str) -> Dsn:
    """Raises: Invalid; its words quote nothing of the DSN, as libpq's would."""
    try:
        parameters = {name: str(value) for name, value in conninfo_to_dict(url).items() if value not in (None, "")}
    except psycopg.Error:
        raise _invalid("is not a libpq URI, such as postgresql://user:password@host:5432/database") from None
    unknown = sorted(parameters.keys() - ALLOWED)
    if unknown:
        raise _invalid(f"must not set {', '.join(unknown)}: only the address, the account and TLS are taken")
    for name in ("host", "dbname", "user"):
        if name not in parameters:
            raise _invalid(f"must name the {name}")
    hosts, ports = parameters["host"].split(","), parameters.get("port", PORT).split(",")
    if not all(hosts) or len(ports) not in (1, len(hosts)) or not all(_is_port(port) for port in ports):
        raise _invalid("must have a port from 1 to 65535 for its host, or one for each of its hosts")
    return Dsn(parameters)


def _is_port(text: str) -> bool:
    return text == "" or (text.isascii() and text.isdecimal() and 0 < int(text) < 65_536)


def _invalid(detail: str) -> Invalid:
    return Invalid(f"the DSN {detail}", code="dsn_invalid", faults=(Fault("/dsn", detail),))
