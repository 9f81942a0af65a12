"""Examines the API: does it answer, is it ready, and is the key good."""

import httpx

from dbrag.cli.address import Address
from dbrag.cli.doctor.model import TIMEOUT_S, Finding, ok, wrong
from dbrag.client import Client
from dbrag.client.transport import is_loopback
from dbrag.errors import DbragError


def check_api(address: Address) -> Finding:
    try:
        answer = httpx.get(f"{address.api}/readyz", timeout=TIMEOUT_S, trust_env=not is_loopback(address.api))
    except (httpx.TransportError, httpx.InvalidURL) as exc:
        return wrong(f"nothing answers at {address.api}: {exc}", "Start it (`make up`), or correct DBRAG_API_URL.")
    if answer.is_success:
        return ok(f"{address.api} is ready")
    said = " ".join(answer.text.split())
    return wrong(f"{address.api} is not ready (HTTP {answer.status_code}): {said}", "Mend the parts it names.")


def check_key(address: Address) -> Finding:
    try:
        with Client(address.api, address.key, patience_s=0, timeout_s=TIMEOUT_S) as client:
            client.jobs(limit=1)
    except DbragError as exc:
        return wrong(exc.detail, "Make a key with `dbrag keys create` and set DBRAG_API_KEY.")
    return ok("accepted")
