"""Dockerfiles, docker-compose.prod.yml and .env.example keep what they promise, and agree with the settings."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from dbrag.cli.settings_table import settings_table

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.prod.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name for name, service in SERVICES.items() if service["image"].startswith("dbrag-")}
WORKERS = {name for name in OURS if name.startswith("worker-")}
SETTINGS = set(re.findall(r"^\| `([A-Z_]+)`", settings_table(), re.MULTILINE))
# Variables of others: gunicorn's, PostgreSQL's image.
OTHERS = {"FORWARDED_ALLOW_IPS", "POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD_FILE"}
# Secrets that are not settings of dbrag, each with its reader.
SECRETS_OF_OTHERS = {"FLOWER_BASIC_AUTH", "POSTGRES_PASSWORD", "REDIS_BROKER_CONF", "REDIS_CACHE_CONF"}
DOCKERFILES = [ROOT / "Dockerfile.api", ROOT / "Dockerfile.worker"]


def interpolated() -> set[str]:
    return set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.prod.yml").read_text()))


def example() -> dict[str, str]:
    """Also the variables that are commented out."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    return dict(found.groups() for line in lines if (found := re.fullmatch(r"(?:# )?([A-Z_]+)=(.*)", line)))


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_fenced_in(name: str) -> None:
    service = SERVICES[name]
    limits = service["deploy"]["resources"]["limits"]
    assert set(limits) == {"cpus", "memory", "pids"}
    assert float(limits["cpus"]) <= 2, "an engine refuses more CPUs than its host has"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == ("on-failure:3" if name == "migrate" else "unless-stopped")
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_says_whether_it_is_well(name: str) -> None:
    if name == "migrate":
        assert SERVICES[name]["healthcheck"] == {"disable": True}, "it ends by itself"
    elif name in {"api", "beat", *WORKERS}:
        assert "healthcheck" not in SERVICES[name], "the image has one"
    else:
        assert SERVICES[name]["healthcheck"]["test"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_pinned(name: str) -> None:
    image = SERVICES[name]["image"].replace("${IMAGE_TAG:-", "").replace("}", "")
    assert re.fullmatch(r"[\w/.-]+:v?\d+\.\d+[\w.-]*", image)


def test_only_nginx_is_published() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["nginx"]
    assert all("network_mode" not in service for service in SERVICES.values())
    flower = next(port for port in SERVICES["nginx"]["ports"] if port.endswith(":8081"))
    assert flower.startswith("127.0.0.1:")


def test_servers_with_data_are_in_a_network_without_a_way_out() -> None:
    for name in ("postgres", "redis-broker", "redis-cache"):
        assert SERVICES[name]["networks"] == ["back"]
    assert COMPOSE["networks"]["back"]["internal"] is True


@pytest.mark.parametrize("name", sorted(OURS - {"migrate"}))
def test_whoever_reads_the_schema_waits_for_the_release_step(name: str) -> None:
    waits_for = SERVICES[name]["depends_on"]
    assert waits_for["migrate"]["condition"] == "service_completed_successfully"
    assert {waits_for[server]["condition"] for server in ("redis-broker", "redis-cache")} == {"service_healthy"}


def test_workers_have_longer_to_end_than_a_lease_and_ten_seconds() -> None:
    for name in WORKERS:
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) > 60 + 10


def test_only_api_and_workers_get_the_keys_of_others() -> None:
    for key in ("OPENAI_API_KEY", "DBRAG_ENCRYPTION_KEYS"):
        assert {name for name, service in SERVICES.items() if key in service.get("secrets", [])} == {"api", *WORKERS}


def test_workers_may_run_the_library_that_kreuzberg_unpacks() -> None:
    for name in WORKERS:
        assert all("exec" in mount.split(":")[1].split(",") for mount in SERVICES[name]["tmpfs"])


def test_every_queue_has_a_worker_of_its_own_kind() -> None:
    queues = {name: SERVICES[name]["command"][SERVICES[name]["command"].index("-Q") + 1] for name in WORKERS}
    assert queues == {"worker-critical": "critical", "worker-default": "default,low", "worker-low": "low"}


def test_variables_of_the_services_are_settings() -> None:
    named = {variable for service in SERVICES.values() for variable in service.get("environment", {})}
    assert named - OTHERS <= SETTINGS


def test_variables_of_the_images_are_settings() -> None:
    named = {name for path in DOCKERFILES for name in re.findall(r"\b(DBRAG_[A-Z_]+)", path.read_text())}
    assert named
    assert named <= SETTINGS


def test_the_example_names_what_compose_reads_and_settings_only() -> None:
    assert interpolated() <= set(example())
    assert set(example()) - interpolated() <= SETTINGS
    assert not set(example()) & set(COMPOSE["secrets"]), "a secret is a file"


def test_every_secret_is_a_file_named_like_its_variable() -> None:
    assert COMPOSE["secrets"] == {name: {"file": f"./secrets/{name}"} for name in COMPOSE["secrets"]}
    assert set(COMPOSE["secrets"]) - SECRETS_OF_OTHERS <= SETTINGS
    made = set(re.findall(r"^put ([A-Z_]+)", (ROOT / "deploy" / "make-secrets").read_text(), re.MULTILINE))
    assert made == set(COMPOSE["secrets"])


def test_what_is_mounted_exists() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).is_file() if source.startswith(".") else source in COMPOSE["volumes"]


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_an_image_is_built_from_the_lock_by_name_and_runs_without_rights(path: Path) -> None:
    text = path.read_text()
    assert re.search(r"^ARG PYTHON_IMAGE=python:3\.13\.\d+-slim-\w+$", text, re.MULTILINE)
    assert "--require-hashes -r locks/production.txt" in text
    assert not re.search(r"# *syntax=|:latest|embedded\]", text)
    final = text.rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (.*)$", final, re.MULTILINE) == ["10001:10001"]
    assert "\nHEALTHCHECK " in final
    assert re.search(r'^CMD \["', final, re.MULTILINE), "exec form: signals reach the process"


def test_both_images_are_built_in_the_same_way() -> None:
    api, worker = (path.read_text().partition("\nFROM ")[2].rpartition("\nFROM ")[0] for path in DOCKERFILES)
    assert api == worker, "then the layers are shared"


def test_copied_folders_get_into_the_build() -> None:
    let_in = re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    for path in DOCKERFILES:
        copied = re.findall(r"^COPY (?!--from)(.*) \S+$", path.read_text(), re.MULTILINE)
        for source in " ".join(copied).split():
            assert any(Path(source).is_relative_to(entry) or Path(source).match(entry) for entry in let_in), source


def test_nginx_takes_the_largest_body_and_closes_what_flower_leaves_open() -> None:
    text = (ROOT / "deploy" / "nginx.conf").read_text()
    (size,) = re.findall(r"client_max_body_size (\d+)m;", text)
    assert int(size) > 64
    assert "location ~ ^/(metrics|healthcheck)/?$ {\n            return 404;" in text
    assert "proxy_buffering off;" in text
    (wait,) = re.findall(r"set \$api.*?proxy_read_timeout (\d+)s;", text, re.DOTALL)
    assert int(wait) > 30


def test_the_broker_evicts_nothing_and_the_cache_evicts_what_is_old() -> None:
    broker, cache = ((ROOT / "deploy" / f"redis-{name}.conf").read_text().splitlines() for name in ("broker", "cache"))
    assert {"maxmemory-policy noeviction", "appendonly yes", "appendfsync everysec"} <= set(broker)
    assert {"maxmemory-policy allkeys-lru", "appendonly no"} <= set(cache)
    assert any(line.startswith("maxmemory ") for line in cache)
