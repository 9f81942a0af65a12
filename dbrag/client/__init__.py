"""A typed HTTP client of the API: submit, wait, events, search.

    with Client("http://127.0.0.1:8000", "dbrag_…") as client:
        job = client.submit("handbook", [{"external_id": "leave", "text": "Thirty days of paid leave a year."}])
        assert client.wait(job.id).status == "succeeded"
        [best] = client.search("handbook", "how many holidays do I get?", limit=1)

It needs httpx, pydantic and tenacity, and nothing of the platform but its errors (dbrag.errors) and words (Status, …).
"""

from dbrag.client.client import Client
from dbrag.client.model import Event, File
from dbrag.client.transport import Unreachable

__all__ = ["Client", "Event", "File", "Unreachable"]
