"""Extraction: what becomes of a process that hangs, grows, dies, is interrupted or loses its parent."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest
from extract_files import OTHERS, docx, extractors, slow_docx

from dbrag.documents.extract import DOCUMENTS_PER_PROCESS, Extractor
from dbrag.errors import Permanent

PAGE = b"<p>hello</p>"
SLOW = slow_docx()
BUSY_CPU_S = 0.5  # more than its start takes


@pytest.fixture(autouse=True)
def _tell_others_apart() -> None:
    OTHERS.clear()
    OTHERS.update(child.pid for child in psutil.Process().children())


@contextmanager
def opened(timeout_s: float = 60, memory_mb: int = 1024) -> Iterator[Extractor]:
    """An extractor that leaves no process, and so no zombie, behind."""
    extractor = Extractor(timeout_s, memory_mb)
    try:
        yield extractor
    finally:
        extractor.close()
        assert extractors() == []


def hello(extractor: Extractor) -> str:
    return extractor.extract(PAGE, "text/html", None).text.strip()


@contextmanager
def once_busy(times: int, act: Callable[[psutil.Process], None]) -> Iterator[None]:
    """Does something to the extractor process in the middle of its work; again to the next ones, `times` in all."""
    done = threading.Event()

    def watch() -> None:
        seen = set[int]()
        while len(seen) < times and not done.is_set():
            for process in extractors():
                try:
                    busy = process.pid not in seen and process.cpu_times().user > BUSY_CPU_S
                except psutil.NoSuchProcess:
                    continue
                if busy:
                    seen.add(process.pid)
                    act(process)
            done.wait(0.01)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def test_a_process_that_hangs_is_killed_at_the_timeout_and_the_next_file_is_read() -> None:
    with opened(timeout_s=5) as extractor:
        hello(extractor)
        (process,) = extractors()
        process.suspend()
        with pytest.raises(Permanent, match="longer than 5 s") as caught:
            hello(extractor)
        assert caught.value.code == "extraction_timeout"
        assert not process.is_running()
        assert hello(extractor) == "hello"


def test_a_file_larger_than_a_pipe_does_not_hang_on_a_process_that_does_not_read() -> None:
    with opened(timeout_s=5) as extractor:
        hello(extractor)
        extractors()[0].suspend()
        with pytest.raises(Permanent) as caught:
            extractor.extract(b"<p>" + b"x" * 2**20, "text/html", None)
        assert caught.value.code == "extraction_timeout"


def test_a_file_that_takes_too_much_memory_fails_and_the_next_one_is_read() -> None:
    with opened(memory_mb=200) as extractor:
        with pytest.raises(Permanent, match="more than 200 MiB") as caught:
            extractor.extract(SLOW, None, "a.docx")
        assert caught.value.code == "extraction_out_of_memory"
        assert hello(extractor) == "hello"


def test_a_process_killed_in_the_middle_is_replaced_and_the_file_is_read() -> None:
    with opened() as extractor, once_busy(1, psutil.Process.kill):
        assert extractor.extract(SLOW, None, "a.docx").text.count("hello world") == 400_000


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV])
def test_a_file_whose_process_dies_twice_has_crashed_it_and_the_next_one_is_read(how: signal.Signals) -> None:
    with opened() as extractor:
        with once_busy(2, lambda process: process.send_signal(how)), pytest.raises(Permanent) as caught:
            extractor.extract(SLOW, None, "a.docx")
        assert caught.value.code == "extraction_crashed"
        assert f"exit code {-how}" in caught.value.detail
        assert hello(extractor) == "hello"


def test_a_process_killed_between_two_files_is_replaced() -> None:
    with opened() as extractor:
        hello(extractor)
        extractors()[0].kill()
        assert hello(extractor) == "hello"


def test_the_text_of_a_file_that_was_given_up_is_never_taken_for_the_next_ones() -> None:
    class GivenUp(Exception):
        """What a task's soft time limit raises, in the middle of anything."""

    def give_up(signum: int, frame: object) -> None:
        raise GivenUp

    before = signal.signal(signal.SIGUSR1, give_up)
    try:
        with opened() as extractor:
            with once_busy(1, lambda _: signal.raise_signal(signal.SIGUSR1)), pytest.raises(GivenUp):
                extractor.extract(SLOW, None, "a.docx")
            assert hello(extractor) == "hello"
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_one_process_serves_many_files_and_then_a_fresh_one_takes_over() -> None:
    with opened() as extractor:
        hello(extractor)
        (first,) = extractors()
        for _ in range(DOCUMENTS_PER_PROCESS - 2):
            hello(extractor)
        assert extractors() == [first]
        for _ in range(2):
            hello(extractor)
        assert extractors() not in ([first], [])


def test_text_needs_no_process() -> None:
    with opened() as extractor:
        extractor.extract(b"hello", "text/plain", None)
        assert extractors() == []


def test_nothing_is_left_open() -> None:
    before = psutil.Process().num_fds()
    for _ in range(3):
        with opened() as extractor:
            hello(extractor)
    assert psutil.Process().num_fds() == before


def test_the_process_gets_none_of_our_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:secret@localhost/db")
    with opened() as extractor:
        hello(extractor)
        assert "DATABASE_URL" not in extractors()[0].environ()


def test_an_extractor_can_be_closed_twice_and_used_again() -> None:
    with opened() as extractor:
        extractor.extract(docx(["one"]), None, "a.docx")
        extractor.close()
        extractor.close()
        assert hello(extractor) == "hello"


@pytest.mark.parametrize("hangs", [False, True], ids=["idle", "hanging"])
def test_the_process_dies_with_its_parent(hangs: bool) -> None:
    program = (
        "import sys; from dbrag.documents.extract import Extractor; extractor = Extractor(60);"
        "extractor.extract(b'<p>hello</p>', 'text/html', None); print('ready', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=-1, stdout=-1, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        (process,) = extractors(psutil.Process(parent.pid))
        if hangs:
            process.suspend()
        parent.kill()
    assert psutil.wait_procs([process], timeout=30)[1] == []
