"""The probe of a worker or of beat: ends with 0 if the file that it touches is fresh.

It runs twice a minute in every container, so it imports the standard library only.
"""

import os
import sys
from pathlib import Path
from time import time

# Twice the pause between two of beat's messages, and long enough for a worker to find its broker again.
FRESH_S = 120.0


def why_not(path: Path, now: float) -> str | None:
    """What is wrong, in a sentence; None where the file was touched within FRESH_S."""
    try:
        age_s = now - path.stat().st_mtime
    except FileNotFoundError:
        return f"{path} does not exist: the process has not started yet, or not with this DBRAG_HEARTBEAT_FILE."
    if age_s > FRESH_S:
        return f"The last heartbeat is {age_s:.0f} s old: the process is stuck, or its broker is away."
    return None


def main() -> None:
    """Answers with the exit code, and the reason on stderr."""
    path = os.environ.get("DBRAG_HEARTBEAT_FILE")
    sys.exit(why_not(Path(path), time()) if path else "DBRAG_HEARTBEAT_FILE is not set: nothing tells heartbeats.")


if __name__ == "__main__":
    main()
