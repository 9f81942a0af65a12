"""The manifests of deploy/kubernetes keep what they promise: as files, and as kustomize puts them together."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from dbrag.cli.settings_table import settings_table
from dbrag.settings import Settings

Resource = dict[str, Any]
FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
OVERLAYS = ("small", "production")
SETTINGS = set(re.findall(r"^\| `([A-Z_]+)`", settings_table(), re.MULTILINE))
# Variables of others: gunicorn's, PostgreSQL's image.
OTHERS = {"FORWARDED_ALLOW_IPS", "POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD_FILE"}
# Secrets that are not settings of dbrag: Flower's, PostgreSQL's and Redis' own.
SECRETS_OF_OTHERS = {"FLOWER_BASIC_AUTH", "POSTGRES_PASSWORD", "REDIS_BROKER_CONF", "REDIS_CACHE_CONF"}
OUTGOING = {"api", "worker-critical", "worker-default", "worker-low"}
UNITS = {"m": 1e-3, "": 1, "Mi": 2**20, "Gi": 2**30}


def documents(path: Path) -> list[Resource]:
    return [found for found in yaml.safe_load_all(path.read_text()) if found]


def resources(kustomization: Path) -> Iterator[Resource]:
    """What a kustomization names, and what those that it builds on name, without its patches."""
    (own,) = documents(kustomization / "kustomization.yaml")
    for name in own["resources"]:
        path = kustomization / name
        yield from resources(path) if path.is_dir() else documents(path)


def rendered(overlay: str) -> list[Resource]:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed: the manifests are checked as files only, not as kustomize renders them")
    command = [kubectl, "kustomize", str(FOLDER / "overlays" / overlay)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture(scope="module", params=[f"{overlay}, {how}" for overlay in OVERLAYS for how in ("files", "rendered")])
def manifests(request: pytest.FixtureRequest) -> list[Resource]:
    overlay, how = request.param.split(", ")
    return rendered(overlay) if how == "rendered" else list(resources(FOLDER / "overlays" / overlay))


def of_kind(manifests: list[Resource], *kinds: str) -> dict[str, Resource]:
    return {found["metadata"]["name"]: found for found in manifests if found["kind"] in kinds}


def pods(manifests: list[Resource]) -> dict[str, Resource]:
    """The pods' templates, by the name of what makes them."""
    makers = of_kind(manifests, "Deployment", "StatefulSet", "Job")
    return {name: maker["spec"]["template"] for name, maker in makers.items()}


def containers(manifests: list[Resource]) -> Iterator[tuple[str, Resource]]:
    for name, pod in pods(manifests).items():
        for container in (*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]):
            yield name, container


def selects(selector: Resource, labels: dict[str, str]) -> bool:
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    rules = selector.get("matchExpressions", [])
    assert all(rule["operator"] == "In" for rule in rules)
    return all(labels.get(rule["key"]) in rule["values"] for rule in rules)


def selected(manifests: list[Resource], selector: Resource) -> set[str]:
    return {name for name, pod in pods(manifests).items() if selects(selector, pod["metadata"]["labels"])}


def quantity(text: str | int) -> float:
    number, unit = re.fullmatch(r"(\d+)(\D*)", str(text)).groups()  # pyright: ignore[reportOptionalMemberAccess]
    return int(number) * UNITS[unit]


def test_pods_are_restricted_as_pod_security_means_it(manifests: list[Resource]) -> None:
    (namespace,) = of_kind(manifests, "Namespace").values()
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for pod in pods(manifests).values():
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
        assert pod["spec"]["securityContext"]["runAsUser"] > 0
        assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod["spec"])
        kinds = {kind for volume in pod["spec"]["volumes"] for kind in volume if kind != "name"}
        assert kinds <= {"emptyDir", "secret", "persistentVolumeClaim"}
    for _, container in containers(manifests):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_no_variables_come_from_the_names_of_services(manifests: list[Resource]) -> None:
    """Flower would read FLOWER_PORT, which is a URL then."""
    assert all(pod["spec"]["enableServiceLinks"] is False for pod in pods(manifests).values())


def test_every_container_has_requests_within_its_limits(manifests: list[Resource]) -> None:
    for _, container in containers(manifests):
        requests, limits = container["resources"]["requests"], container["resources"]["limits"]
        assert set(requests) == set(limits) == {"cpu", "memory"}
        assert all(quantity(requests[what]) <= quantity(limits[what]) for what in limits)


def test_every_image_is_pinned(manifests: list[Resource]) -> None:
    for _, container in containers(manifests):
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+[\w.-]*", container["image"])


def test_whatever_serves_or_works_is_probed(manifests: list[Resource]) -> None:
    for name, pod in pods(manifests).items():
        (container,) = pod["spec"]["containers"]
        probes = {probe for probe in ("startupProbe", "readinessProbe", "livenessProbe") if probe in container}
        assert len(probes) == (0 if name == "migrate" else 3), name
        named = {port["name"] for port in container.get("ports", [])}
        assert {container[probe]["httpGet"]["port"] for probe in probes if "httpGet" in container[probe]} <= named


def test_the_api_serves_while_its_servers_are_away(manifests: list[Resource]) -> None:
    (container,) = pods(manifests)["api"]["spec"]["containers"]
    probes = ("startupProbe", "readinessProbe", "livenessProbe")
    assert {container[probe]["httpGet"]["path"] for probe in probes} == {"/healthz"}


def test_whoever_reads_the_schema_waits_for_the_release_step(manifests: list[Resource]) -> None:
    waiting = {name for name, container in containers(manifests) if container.get("args") == ["dbrag", "db", "wait"]}
    assert waiting == OUTGOING | {"relay"}
    (migrate,) = pods(manifests)["migrate"]["spec"]["containers"]
    assert migrate["args"] == ["dbrag", "db", "upgrade"]


def test_whoever_waits_for_the_schema_has_what_it_asks_with(manifests: list[Resource]) -> None:
    for name in OUTGOING | {"relay"}:
        spec = pods(manifests)[name]["spec"]
        (waiting,), (container,) = spec["initContainers"], spec["containers"]
        assert waiting["image"] == container["image"]
        assert waiting["volumeMounts"] == container["volumeMounts"]
        assert waiting["envFrom"] == container["envFrom"]


def test_processes_have_longer_to_end_than_they_need(manifests: list[Resource]) -> None:
    lease_s = Settings.model_fields["lease_s"].default
    grace_s = {name: pod["spec"]["terminationGracePeriodSeconds"] for name, pod in pods(manifests).items()}
    assert all(grace_s[name] >= lease_s + 10 for name in OUTGOING - {"api"})
    (api,) = pods(manifests)["api"]["spec"]["containers"]
    gunicorn = (FOLDER.parent / "gunicorn.conf.py").read_text()
    graceful_s = int(re.findall(r"^graceful_timeout = (\d+)", gunicorn, re.MULTILINE)[0])
    assert grace_s["api"] > api["lifecycle"]["preStop"]["sleep"]["seconds"] + graceful_s


def test_variables_are_settings(manifests: list[Resource]) -> None:
    named = {variable["name"] for _, container in containers(manifests) for variable in container.get("env", [])}
    named |= {key for found in of_kind(manifests, "ConfigMap").values() for key in found["data"]}
    assert named - OTHERS <= SETTINGS


def test_settings_for_all_processes_are_settings() -> None:
    named = re.findall(r"^(\w+)=", (FOLDER / "base" / "settings.env").read_text(), re.MULTILINE)
    for overlay in OVERLAYS:
        (own,) = documents(FOLDER / "overlays" / overlay / "kustomization.yaml")
        added = [line for source in own.get("configMapGenerator", []) for line in source["literals"]]
        named += [line.partition("=")[0] for line in added]
    assert named
    assert set(named) <= SETTINGS - set(
        of_kind(documents(FOLDER / "secret.example.yaml"), "Secret")["dbrag"]["stringData"]
    )


def test_the_relay_serves_its_metrics_where_its_port_is(manifests: list[Resource]) -> None:
    (relay,) = pods(manifests)["relay"]["spec"]["containers"]
    (port,) = relay["ports"]
    assert relay["env"] == [{"name": "DBRAG_RELAY_METRICS", "value": f"0.0.0.0:{port['containerPort']}"}]


def test_settings_and_their_sources_exist(manifests: list[Resource]) -> None:
    """As files the generated names are those of the generators."""
    maps = set(of_kind(manifests, "ConfigMap")) or {"settings"}
    claims = set(of_kind(manifests, "PersistentVolumeClaim"))
    for _, container in containers(manifests):
        assert {source["configMapRef"]["name"] for source in container.get("envFrom", [])} <= maps
    volumes = [volume for pod in pods(manifests).values() for volume in pod["spec"]["volumes"]]
    assert {
        found["persistentVolumeClaim"]["claimName"] for found in volumes if "persistentVolumeClaim" in found
    } <= claims


def test_what_is_mounted_is_a_volume(manifests: list[Resource]) -> None:
    makers = of_kind(manifests, "Deployment", "StatefulSet", "Job")
    for name, container in containers(manifests):
        spec = makers[name]["spec"]
        made = {claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", [])}
        volumes = {volume["name"] for volume in spec["template"]["spec"]["volumes"]} | made
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes


def test_secrets_are_files_named_like_their_variables(manifests: list[Resource]) -> None:
    examples = of_kind(documents(FOLDER / "secret.example.yaml"), "Secret")
    assert set(examples["dbrag"]["stringData"]) - SECRETS_OF_OTHERS <= SETTINGS
    for pod in pods(manifests).values():
        for volume in pod["spec"]["volumes"]:
            if "secret" in volume:
                items = volume["secret"]["items"]
                assert all(item["key"] == item["path"] for item in items)
                assert {item["key"] for item in items} <= set(examples[volume["secret"]["secretName"]]["stringData"])
    assert all(
        mount["mountPath"] == "/run/secrets"
        for _, container in containers(manifests)
        for mount in container["volumeMounts"]
        if mount["name"] == "secrets"
    )


def test_only_api_and_workers_get_the_keys_of_others(manifests: list[Resource]) -> None:
    for key in ("OPENAI_API_KEY", "DBRAG_ENCRYPTION_KEYS"):
        assert {name for name, pod in pods(manifests).items() if f'"{key}"' in json.dumps(pod)} == OUTGOING


def test_nothing_secret_is_written_down(manifests: list[Resource]) -> None:
    assert not of_kind(manifests, "Secret")
    examples = of_kind(documents(FOLDER / "secret.example.yaml"), "Secret")
    assert not any(examples["dbrag"]["stringData"].values())
    assert not examples["dbrag-scaler"]["stringData"]["password"]


def test_selectors_find_the_pods_that_they_mean(manifests: list[Resource]) -> None:
    for name, found in of_kind(manifests, "Deployment", "StatefulSet").items():
        assert selected(manifests, found["spec"]["selector"]) == {name}
    for kind in ("PodDisruptionBudget", "PodMonitor"):
        for name, found in of_kind(manifests, kind).items():
            assert selected(manifests, found["spec"]["selector"]) == {name}
    services = of_kind(manifests, "Service")
    for name, found in of_kind(manifests, "ServiceMonitor").items():
        assert selects(found["spec"]["selector"], services[name]["metadata"]["labels"])
    for name, service in services.items():
        assert selected(manifests, {"matchLabels": service["spec"]["selector"]}) == {name}
        (container,) = pods(manifests)[name]["spec"]["containers"]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= set(ports)
    for name, pod in pods(manifests).items():
        for spread in pod["spec"].get("topologySpreadConstraints", []):
            assert selected(manifests, spread["labelSelector"]) == {name}


def test_every_statefulset_has_its_service(manifests: list[Resource]) -> None:
    for found in of_kind(manifests, "StatefulSet").values():
        assert found["spec"]["serviceName"] in of_kind(manifests, "Service")


def test_nodes_can_be_drained(manifests: list[Resource]) -> None:
    budgets = of_kind(manifests, "PodDisruptionBudget")
    assert set(budgets) == OUTGOING | {"relay"}
    assert all(found["spec"]["maxUnavailable"] == 1 for found in budgets.values())


def test_who_may_talk_to_whom(manifests: list[Resource]) -> None:
    policies = of_kind(manifests, "NetworkPolicy")
    nothing = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert policies["default-deny"]["spec"] == nothing
    who = {name: selected(manifests, found["spec"]["podSelector"]) for name, found in policies.items()}
    assert who["names"] == set(pods(manifests))
    assert who["to-postgres"] == OUTGOING | {"relay", "migrate"}
    assert who["to-redis"] == OUTGOING | {"relay", "beat", "flower"}
    assert who["to-provider"] == OUTGOING
    assert who["from-ingress"] == {"api"}
    assert who["from-monitoring"] == {"api", "relay", "flower"}
    assert all(who.values())


def test_a_pattern_of_a_policy_names_pods_that_exist(manifests: list[Resource]) -> None:
    """A misspelt component would let nobody through."""
    components = {pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in pods(manifests).values()}
    for found in of_kind(manifests, "NetworkPolicy").values():
        named = set(
            re.findall(r"app.kubernetes.io/component\W+(?:operator\W+In\W+values\W+)?([\w-]+)", json.dumps(found))
        )
        assert named <= components


def test_the_servers_of_the_small_overlay_let_in_whoever_goes_to_them() -> None:
    manifests = list(resources(FOLDER / "overlays" / "small"))
    policies = of_kind(manifests, "NetworkPolicy")
    patches = of_kind(documents(FOLDER / "overlays" / "small" / "to-servers.yaml"), "NetworkPolicy")
    for name, there in (("to-postgres", "postgres"), ("to-redis", "redis")):
        (egress,), (ingress,) = patches[name]["spec"]["egress"], policies[there]["spec"]["ingress"]
        goes = selected(manifests, policies[name]["spec"]["podSelector"])
        assert selected(manifests, ingress["from"][0]["podSelector"]) == goes
        arrives = selected(manifests, policies[there]["spec"]["podSelector"])
        assert selected(manifests, egress["to"][0]["podSelector"]) == arrives != set()
        assert ingress["ports"] == egress["ports"]


def test_what_is_scaled_exists_and_has_one_scaler() -> None:
    manifests = list(resources(FOLDER / "overlays" / "production"))
    scalers = of_kind(manifests, "ScaledObject") | of_kind(manifests, "HorizontalPodAutoscaler")
    assert {found["spec"]["scaleTargetRef"]["name"] for found in scalers.values()} == set(scalers)
    assert set(scalers) == {"api", "worker-critical", "worker-default"}
    assert set(scalers) <= set(of_kind(manifests, "Deployment"))
    known = of_kind(manifests, "TriggerAuthentication")
    secrets = of_kind(documents(FOLDER / "secret.example.yaml"), "Secret")
    for scaler in of_kind(manifests, "ScaledObject").values():
        assert {trigger["authenticationRef"]["name"] for trigger in scaler["spec"]["triggers"]} <= set(known)
    for found in known.values():
        for source in found["spec"]["secretTargetRef"]:
            assert source["key"] in secrets[source["name"]]["stringData"]


def test_the_number_of_what_is_scaled_is_left_to_its_scaler() -> None:
    deployments = of_kind(rendered("production"), "Deployment")
    fixed = {name for name, found in deployments.items() if "replicas" in found["spec"]}
    assert fixed == {"worker-low", "relay", "beat", "flower"}


@pytest.mark.parametrize("kind", ["ScaledObject", "TriggerAuthentication"])
def test_what_keda_reads_keeps_to_its_schema(kind: str) -> None:
    schema = json.loads((Path(__file__).parent / "schemas" / f"keda-{kind}.json").read_text())
    checked = of_kind(documents(FOLDER / "overlays" / "production" / "scaling.yaml"), kind)
    assert checked
    for found in checked.values():
        jsonschema_rs.validate(schema, found)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kubernetes_own_schemas_hold(overlay: str) -> None:
    """They know nothing of KEDA's and Prometheus' kinds."""
    validate = pytest.importorskip(
        "kubernetes_validate", reason="kubernetes-validate, which has them, is not installed"
    )
    for found in rendered(overlay):
        if "k8s.io" in found["apiVersion"] or "." not in found["apiVersion"].split("/")[0]:
            validate.validate(found, "1.33", strict=True)


def test_the_ingress_leads_to_the_api_but_not_to_its_metrics() -> None:
    manifests = list(resources(FOLDER / "overlays" / "production"))
    (ingress,) = of_kind(manifests, "Ingress").values()
    (rule,) = ingress["spec"]["rules"]
    assert {path["path"] for path in rule["http"]["paths"]} == {"/v1", "/docs", "/console", "/healthz", "/readyz"}
    services = of_kind(manifests, "Service")
    for path in rule["http"]["paths"]:
        service = path["backend"]["service"]
        assert service["port"]["name"] in {port["name"] for port in services[service["name"]]["spec"]["ports"]}


def test_the_ingress_takes_the_largest_body_and_passes_events_on() -> None:
    (ingress,) = of_kind(documents(FOLDER / "overlays" / "production" / "ingress.yaml"), "Ingress").values()
    said = {key.rpartition("/")[2]: value for key, value in ingress["metadata"]["annotations"].items()}
    assert int(said["proxy-body-size"].removesuffix("m")) > Settings.model_fields["max_body_mb"].default
    assert said["proxy-buffering"] == "off"
    assert int(said["proxy-read-timeout"]) > 30
