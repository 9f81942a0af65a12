"""Beat's schedule. Two beats at once are harmless: every duty looks first at what is to be done."""

from typing import Any

UPKEEP_INTERVAL_S = 60.0
# A duty that was not fetched before its next turn is not worth doing twice.
_OPTIONS = {"queue": "low", "expires": UPKEEP_INTERVAL_S}

SCHEDULE: dict[str, dict[str, Any]] = {
    "index_upkeep": {"task": "index_upkeep", "schedule": UPKEEP_INTERVAL_S, "options": _OPTIONS},
    "recall_probe": {"task": "recall_probe", "schedule": UPKEEP_INTERVAL_S, "options": _OPTIONS},
    "catalog_upkeep": {"task": "catalog_upkeep", "schedule": UPKEEP_INTERVAL_S, "options": _OPTIONS},
    "purge_deleted": {"task": "purge_deleted", "schedule": UPKEEP_INTERVAL_S, "options": _OPTIONS},
}
