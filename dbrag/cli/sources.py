"""Which files `dbrag ingest` sends, under which names, in which batches."""

import glob
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dbrag.errors import Permanent

# Half the API's limit of 64 MiB: a batch stays small enough to be sent again after a broken connection.
BATCH_BYTES = 32 * 2**20
BATCH_FILES = 200


@dataclass(frozen=True, slots=True)
class Source:
    """A file to send; `name` becomes the document's external_id, `size` is in bytes."""

    name: str
    path: Path
    size: int
    mtime_ns: int = 0

    def read(self) -> bytes:
        try:
            return self.path.read_bytes()
        except OSError as exc:
            raise Permanent(f"{self.path} cannot be read: {exc.strerror}. Mend it or leave it out.") from exc


def find(arguments: Iterable[str], *, recursive: bool, base: Path) -> list[Source]:
    """The files that paths, folders and globs name, sorted by name; hidden files in folders are left out.

    A name is the path relative to `base`, so that sending a file again from there replaces its document; what lies
    outside `base` is named from the argument's last part on. Raises Permanent if nothing is there, or if two
    different files would get one name.
    """
    found: dict[str, Source] = {}
    for argument in arguments:
        for root in _expand(argument):
            for path in _files(root, recursive=recursive):
                stat = path.stat()
                source = Source(_name(path, root, base), path, stat.st_size, stat.st_mtime_ns)
                other = found.setdefault(source.name, source)
                if other.path.resolve() != path.resolve():
                    raise Permanent(f"{other.path} and {path} would both be named {source.name}; send them separately.")
    if not found:
        raise Permanent(f"No files in {', '.join(arguments)}.")
    return sorted(found.values(), key=lambda source: source.name)


def batches(
    sources: Iterable[Source], *, max_files: int = BATCH_FILES, max_bytes: int = BATCH_BYTES
) -> Iterator[list[Source]]:
    """Cut into batches in order, none over the limits, except that a file over `max_bytes` goes alone."""
    batch: list[Source] = []
    size = 0
    for source in sources:
        if batch and (len(batch) == max_files or size + source.size > max_bytes):
            yield batch
            batch, size = [], 0
        batch.append(source)
        size += source.size
    if batch:
        yield batch


def _expand(argument: str) -> list[Path]:
    if Path(argument).exists():
        return [Path(argument)]
    matches = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207 Path.glob takes no absolute patterns
    if not matches:
        raise Permanent(f"{argument} is neither a file nor a folder, and matches nothing.")
    return [Path(match) for match in matches]


def _files(root: Path, *, recursive: bool) -> Iterator[Path]:
    if not root.is_dir():
        yield root
        return
    for path in root.rglob("*") if recursive else root.glob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        if path.is_file() and not hidden:
            yield path


def _name(path: Path, root: Path, base: Path) -> str:
    full = path.resolve()
    start = base.resolve() if full.is_relative_to(base.resolve()) else root.resolve().parent
    return full.relative_to(start).as_posix() if full.is_relative_to(start) else path.name
