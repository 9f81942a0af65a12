"""Who runs PostgreSQL, which refuses to run as root, and where that user's data and programs lie."""

import hashlib
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dbrag.devstack import namespace
from dbrag.errors import Permanent

ELSEWHERE = Path("/var/tmp")  # noqa: S108 - a folder of ours below it, that nobody can have foisted on us


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Runs programs out of the folder `programs` on the data in `folder`.

    `user` and `group` are the ids to switch to, None to stay; `wrapper` stands before each command line.
    """

    folder: Path
    programs: Path
    user: int | None = None
    group: int | None = None
    wrapper: tuple[str, ...] = ()

    def command(self, program: str, *arguments: str | Path) -> list[str]:
        """The command line for a program of `programs`."""
        return [*self.wrapper, str(self.programs / "bin" / program), *map(str, arguments)]

    def run(self, argv: list[str]) -> subprocess.CompletedProcess[str]:
        """Run a short command as this account; standard error is added to standard output."""
        return subprocess.run(  # noqa: S603 - our own programs
            argv,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C"},
            user=self.user,
            group=self.group,
            extra_groups=None if self.user is None else [],
        )

    def give(self, path: Path) -> None:
        """Make this account the owner of `path` and of all below it."""
        owner = os.geteuid() if self.user is None else self.user
        group = os.getegid() if self.group is None else self.group
        if path.lstat().st_uid != owner:
            for place in (*path.rglob("*"), path):  # `path` last: it says that the others are done
                os.chown(place, owner, group, follow_symlinks=False)

    def works(self) -> bool:
        """Make its folder; whether it can write there and run its programs, every folder on the way included."""
        probe = 'test -w "$0" && "$1" --version'
        argv = [*self.wrapper, "/bin/sh", "-c", probe, str(self.folder), str(self.programs / "bin" / "postgres")]
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.give(self.folder)
            return self.run(argv).returncode == 0
        except OSError:  # some containers have only one user
            return False


def choose(folder: Path, programs: Path) -> Account:
    """The first account that works. It owns its folder, which exists. Raises Permanent if there is none."""
    for account in candidates(folder, programs):
        if account.works():
            return account
    raise Permanent(
        f"PostgreSQL does not run as root, and no other user can run {programs} on {folder}. "
        "Start the stack as an ordinary user, or set DATABASE_URL."
    )


def candidates(folder: Path, programs: Path) -> Iterator[Account]:
    """The accounts to try, the best first."""
    if os.geteuid() != 0:
        yield Account(folder=folder, programs=programs)
        return
    nobody = pwd.getpwnam("nobody")
    ids = nobody.pw_uid, nobody.pw_gid
    yield Account(folder=folder, programs=programs, user=ids[0], group=ids[1])
    # Below /root, say, nobody may enter: there root itself runs it, as nobody in its own eyes.
    wrapper = (sys.executable, "-I", namespace.__file__, *map(str, ids))
    yield Account(folder=folder, programs=programs, wrapper=wrapper)
    # Containers often forbid namespaces.
    place = _elsewhere(folder, programs)
    copy = place / "site" / programs.relative_to(programs.parents[1])
    yield Account(folder=place / "data", programs=copy, user=ids[0], group=ids[1])


def _elsewhere(folder: Path, programs: Path) -> Path:
    """A place that every user can reach, with a copy of `programs`; `<folder>.elsewhere` names it for `make clean`.

    Raises Permanent if somebody else made a folder of that name.
    """
    place = ELSEWHERE / f"dbrag-{hashlib.sha256(bytes(folder.resolve())).hexdigest()[:16]}"
    place.mkdir(mode=0o700, exist_ok=True)
    if place.is_symlink() or place.lstat().st_uid != os.geteuid():
        raise Permanent(f"{place} belongs to somebody else: remove it, or set DATABASE_URL.")
    folder.with_name(f"{folder.name}.elsewhere").write_text(f"{place}\n")
    if not (place / "site").exists():
        _copy_wheel(programs, place / "site")
    place.chmod(0o711)
    return place


def _copy_wheel(programs: Path, site: Path) -> None:
    """Copy what the programs need: the folder beside their package holds libraries that they look for there."""
    new = site.with_name("site.new")
    shutil.rmtree(new, ignore_errors=True)
    source = programs.parents[1]
    for part in (programs, source / f"{programs.parent.name}.libs"):
        unneeded = shutil.ignore_patterns("include", "*.a", "pkgconfig")
        shutil.copytree(part, new / part.relative_to(source), ignore=unneeded)
    for path in (new, *new.rglob("*")):
        path.chmod(0o755)  # whatever the umask was when the wheel was installed
    new.rename(site)
