"""Where things are in the API; a name is one part of a path, whatever it holds."""

from urllib.parse import quote


def collection(name: str) -> str:
    return f"/v1/collections/{quote(name, safe='')}"


def document(collection_name: str, external_id: str) -> str:
    return f"{collection(collection_name)}/documents/{quote(external_id, safe='')}"


def connection(name: str) -> str:
    return f"/v1/connections/{quote(name, safe='')}"


def job(job_id: str) -> str:
    return f"/v1/jobs/{quote(job_id, safe='')}"
