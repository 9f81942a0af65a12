"""PostgreSQL runs as somebody else, wherever root's checkout lies, and whatever the container forbids."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dbrag.devstack.account import Account, candidates, choose
from dbrag.devstack.postgres import programs

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A folder that only root can reach."""
    folder = tmp_path / "private" / "postgres"
    folder.parent.mkdir(mode=0o700)
    return folder


@pytest.fixture
def elsewhere(private: Path) -> Iterator[Account]:
    """The last resort: a copy of the programs where everybody can reach it."""
    yield (account := list(candidates(private, programs()))[-1])
    shutil.rmtree(account.folder.parent)


def test_where_everybody_may_go_it_is_nobody_with_data_in_place(elsewhere: Account) -> None:
    folder = elsewhere.folder.with_name("in place")
    account = choose(folder, elsewhere.programs)
    assert account == replace(elsewhere, folder=folder)
    assert folder.stat().st_uid == account.user != 0


def test_where_only_root_may_go_the_data_stays_there_and_root_s(private: Path) -> None:
    account = choose(private, programs())
    if account.wrapper:  # the kernel allows user namespaces
        assert account.folder == private
        assert account.run([*account.wrapper, "/usr/bin/id", "-u"]).stdout.strip() not in ("0", "")
        assert private.stat().st_uid == 0
    else:
        assert account.folder != private


def test_without_namespaces_a_copy_runs_elsewhere(elsewhere: Account) -> None:
    assert elsewhere.works()
    assert elsewhere.run(elsewhere.command("initdb", "--version")).stdout.startswith("initdb (PostgreSQL) 18")
    assert elsewhere.folder.stat().st_uid == elsewhere.user != 0


def test_the_copy_is_found_again_for_make_clean(private: Path, elsewhere: Account) -> None:
    assert private.with_name("postgres.elsewhere").read_text().strip() == str(elsewhere.folder.parent)


def test_an_account_that_cannot_reach_its_data_does_not_work(private: Path) -> None:
    nobody = next(iter(candidates(private, programs())))
    assert not nobody.works()


def test_no_folder_on_the_way_changes_its_rights(private: Path) -> None:
    before = private.parent.stat().st_mode
    choose(private, programs())
    assert private.parent.stat().st_mode == before
