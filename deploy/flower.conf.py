"""Flower's settings in a container: its users come from a secret's file, and without one it does not start."""

from pathlib import Path

address = "0.0.0.0"  # noqa: S104 - the container's; which network that is in says who reaches it
port = 5555
persistent = True
db = "/var/lib/dbrag/flower"
# `name:password`, more of them separated by commas.
basic_auth = Path("/run/secrets/FLOWER_BASIC_AUTH").read_text().strip().split(",")
