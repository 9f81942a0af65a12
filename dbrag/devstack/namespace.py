"""Runs a program as root's double in a user namespace: it sees itself as another user, and has root's files.

Run by path, `python -I namespace.py UID GID PROGRAM ARGUMENT…`; exit code 75 where the kernel forbids namespaces.
"""

import ctypes
import os
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000  # linux/sched.h; os.unshare() only comes with Python 3.12
FORBIDDEN = 75


def main() -> None:
    """Become UID:GID inside a new namespace, stay who we are outside, and turn into PROGRAM."""
    uid, gid, *argv = sys.argv[1:]
    outside = os.geteuid(), os.getegid()
    if ctypes.CDLL(None).unshare(CLONE_NEWUSER):
        sys.exit(FORBIDDEN)
    Path("/proc/self/setgroups").write_text("deny")  # the kernel asks for this before a gid_map
    Path("/proc/self/uid_map").write_text(f"{uid} {outside[0]} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {outside[1]} 1")
    os.execv(argv[0], argv)  # noqa: S606 - what the caller wants to run


if __name__ == "__main__":
    main()
