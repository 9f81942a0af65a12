"""DSNs: what is taken from them, and what is refused, without a word of theirs."""

import traceback
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbrag.catalog.dsn import Host, parse
from dbrag.errors import Invalid

GOOD = "postgresql://ann:hunter2@db.example.com:5433/shop"


def refusal(dsn: str) -> str:
    with pytest.raises(Invalid) as caught:
        parse(dsn)
    (fault,) = caught.value.faults
    assert fault.pointer == "/dsn"
    assert caught.value.__cause__ is caught.value.__context__ is None  # libpq's message quotes the DSN
    assert "hunter2" not in "".join(traceback.format_exception(caught.value)) + fault.detail
    return fault.detail


def test_a_uri_is_taken_apart() -> None:
    dsn = parse(f"{GOOD}?sslmode=verify-full&sslrootcert=system")
    assert dsn.hosts == (Host("db.example.com", 5433),)
    assert (dsn.database, dsn.user) == ("shop", "ann")
    assert dsn.password
    assert dsn.password.get_secret_value() == "hunter2"
    assert dsn.parameters == {"sslmode": "verify-full", "sslrootcert": "system"}


def test_words_mean_the_same_as_a_uri() -> None:
    assert parse("host=db.example.com port=5433 dbname=shop user=ann password=hunter2") == parse(GOOD)


def test_neither_repr_nor_what_is_shown_has_the_password() -> None:
    dsn = parse(GOOD)
    assert "hunter2" not in repr(dsn) + str(dsn)
    assert dsn.shown == {
        "host": "db.example.com",
        "port": "5433",
        "database": "shop",
        "user": "ann",
        "sslmode": "prefer",
    }


@pytest.mark.parametrize(
    ("ports", "expected"), [("", [5432, 5432]), ("6000", [6000, 6000]), ("1,2", [1, 2]), (",2", [5432, 2])]
)
def test_several_hosts_have_their_ports(ports: str, expected: list[int]) -> None:
    assert [host.port for host in parse(f"host=a,b port='{ports}' user=u dbname=d").hosts] == expected


@pytest.mark.parametrize(
    "parameter",
    [
        "options=-csearch_path%3Dx",
        "service=other",
        "passfile=/etc/passwd",
        "hostaddr=127.0.0.1",
        "sslpassword=hunter2",
        "krbsrvname=x",
        "application_name=hunter2",
        "load_balance_hosts=random",
        "replication=true",
        "sslkeylogfile=/tmp/keys",
        "sslkey=/etc/ssl/private/other-tenant.key",
        "sslcert=/etc/ssl/other-tenant.pem",
        "require_auth=none",
    ],
)
def test_a_parameter_beyond_the_list_is_refused_by_name(parameter: str) -> None:
    assert f"The parameter {parameter.partition('=')[0]} is not allowed" in refusal(f"{GOOD}?{parameter}")


@pytest.mark.parametrize(
    "parameter",
    [
        "sslmode=hunter2",
        "sslrootcert=relative.pem",
        "ssl_min_protocol_version=SSLv3",
        "connect_timeout=0",
        "connect_timeout=1",
        "connect_timeout=11",
        "connect_timeout=-1",
        "connect_timeout=9999999999",
        "target_session_attrs=hunter2",
        "channel_binding=hunter2",
    ],
)
def test_a_value_that_cannot_be_is_refused_by_its_parameters_name(parameter: str) -> None:
    assert f"The parameter {parameter.partition('=')[0]} must be" in refusal(f"{GOOD}?{parameter}")


@pytest.mark.parametrize(
    ("dsn", "words"),
    [
        ("user=ann dbname=shop", "host"),
        ("host=h dbname=shop", "user"),
        ("host=h user=ann", "dbname"),
        ("", "host and user and dbname"),
        ("postgresql:///shop", "host and user"),
        ("host=h,,i user=u dbname=d", "several hosts"),
        ("host=a,b,c port=1,2 user=u dbname=d", "several hosts"),
        ("host=a port=0 user=u dbname=d", "A port"),
        ("host=a port=65536 user=u dbname=d", "A port"),
        ("host=a port='1 ' user=u dbname=d", "A port"),
        ("host=a port=¹ user=u dbname=d", "A port"),
        ("mysql://ann:hunter2@h/d", "neither"),
        ("password=hunter2 'unclosed", "neither"),
        ("hunter2", "neither"),
        ("postgresql://ann:hunter2@[::1/d", "neither"),
        ("postgresql://ann:hunter2%00@h/d", "neither"),
        ("postgresql://ann:hunter2%ff@h/d", "neither"),
        ("postgresql://ann:hunter2@h/d?hunter2=1", "neither"),
        ("host=\ud800 password=hunter2", "neither"),
        ("password=hunter2\0", "NUL"),
        ("password=hunter2" + "x" * 5000, "shorter"),
    ],
)
def test_what_is_missing_or_wrong_is_said(dsn: str, words: str) -> None:
    assert words in refusal(dsn)


@given(st.text(max_size=60) | st.text(max_size=30).map(lambda text: f"postgresql://u:{text}@h/d?{text}"))
def test_no_text_makes_it_fail_otherwise(dsn: str) -> None:
    with suppress(Invalid):
        parse(dsn)
