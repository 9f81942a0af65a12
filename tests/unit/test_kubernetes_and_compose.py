"""deploy/kubernetes and docker-compose.prod.yml run the same: commands, secrets, variables, sizes, servers."""

import re
from typing import Any

import pytest
import yaml

from tests.unit.test_kubernetes import FOLDER, containers, documents, of_kind, pods, quantity, resources

ROOT = FOLDER.parents[1]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.prod.yml").read_text())["services"]
SMALL = list(resources(FOLDER / "overlays" / "small"))
# nginx is the ingress controller there.
SAME = sorted(set(SERVICES) - {"nginx"})


def container(name: str) -> dict[str, Any]:
    (found,) = pods(SMALL)[name]["spec"]["containers"]
    return found


def test_the_same_runs_in_both() -> None:
    assert set(pods(SMALL)) == set(SAME)


@pytest.mark.parametrize("name", SAME)
def test_image_and_command_are_the_same(name: str) -> None:
    assert container(name)["image"] == re.sub(r"\$\{IMAGE_TAG:-(.*)\}", r"\1", SERVICES[name]["image"])
    if not name.startswith("redis-"):
        assert container(name).get("args") == SERVICES[name].get("command")


@pytest.mark.parametrize("name", SAME)
def test_secrets_are_the_same(name: str) -> None:
    (secret,) = (volume["secret"] for volume in pods(SMALL)[name]["spec"]["volumes"] if "secret" in volume)
    assert [item["key"] for item in secret["items"]] == SERVICES[name]["secrets"]


@pytest.mark.parametrize("name", SAME)
def test_variables_are_the_same(name: str) -> None:
    own = {variable["name"]: variable["value"] for variable in container(name).get("env", [])}
    assert own == SERVICES[name].get("environment", {})


def test_settings_for_all_are_the_same() -> None:
    lines = (FOLDER / "base" / "settings.env").read_text().splitlines()
    (small,) = documents(FOLDER / "overlays" / "small" / "kustomization.yaml")
    lines += small["configMapGenerator"][0]["literals"]
    example = re.findall(r"^DBRAG_.*", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert {line for line in lines if not line.startswith("#")} == set(example)


@pytest.mark.parametrize("name", SAME)
def test_limits_are_the_same(name: str) -> None:
    here, there = container(name)["resources"]["limits"], SERVICES[name]["deploy"]["resources"]["limits"]
    assert quantity(here["cpu"]) == float(there["cpus"])
    assert quantity(here["memory"]) == quantity(there["memory"].replace("m", "Mi").replace("g", "Gi"))


@pytest.mark.parametrize("name", sorted(set(SAME) - {"migrate"}))
def test_nobody_has_less_time_to_end(name: str) -> None:
    grace_s = int(SERVICES[name]["stop_grace_period"].removesuffix("s"))
    assert pods(SMALL)[name]["spec"]["terminationGracePeriodSeconds"] >= grace_s


@pytest.mark.parametrize("name", ["redis-broker", "redis-cache"])
def test_redis_is_set_up_the_same(name: str) -> None:
    lines = (ROOT / "deploy" / f"{name}.conf").read_text().splitlines()
    wanted = [f"--{line}".replace('"', "'") for line in lines if not line.startswith("#")]
    assert container(name)["args"] == ["redis-server", *wanted]


def test_users_are_those_of_the_images() -> None:
    dockerfiles = [(ROOT / f"Dockerfile.{which}").read_text() for which in ("api", "worker")]
    users = {re.findall(r"^USER (\d+):(\d+)$", text, re.MULTILINE)[-1] for text in dockerfiles}
    ours = {name for name, found in containers(SMALL) if found["image"].startswith("dbrag-")}
    contexts = [pods(SMALL)[name]["spec"]["securityContext"] for name in ours]
    assert {(str(found["runAsUser"]), str(found["runAsGroup"])) for found in contexts} == users


def test_servers_have_the_names_that_the_secrets_are_made_with() -> None:
    made = (ROOT / "deploy" / "make-secrets").read_text()
    assert set(re.findall(r"@([\w-]+):\d+/", made)) == set(of_kind(SMALL, "StatefulSet"))
