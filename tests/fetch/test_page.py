"""What is printed from declarations: the page about datasets, plans, and where each stands."""

import doctest
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from medvision.catalog.dataset import dataset_names, load_dataset
from medvision.cli import main
from medvision.fetch import page as page_module
from medvision.fetch.page import datasets_page
from tests.fetch.toy import declaration

ROOT = Path(__file__).parents[2]


def test_the_page_about_datasets_is_written_from_the_declarations():
    page = datasets_page([load_dataset(name) for name in dataset_names()])
    written = (ROOT / "docs" / "datasets.md").read_text("utf-8")
    assert page == written, "run: medvision catalog page --out docs/datasets.md"


COLUMNS = [
    *("dataset", "images", "asks", "to fetch", "how", "access", "licence"),
    *("build, s/GB", "quirks"),
]


def test_the_table_says_all_of_each_dataset():
    page = (ROOT / "docs" / "datasets.md").read_text("utf-8")
    table = page.partition("## The 31 public datasets")[2].partition("\n## ")[0]
    header, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in table.splitlines()
        if line.startswith("|")
    ]
    assert header == COLUMNS
    assert len(rows) == 31
    for row in rows:
        said = dict(zip(COLUMNS, row, strict=True))
        name = re.fullmatch(r"\[(.+)\]\(#.+\)", said["dataset"])[1]
        dataset = load_dataset(name)
        assert said["asks"] == ", ".join(dataset.asks)
        assert said["licence"] == dataset.licence
        assert said["access"] == dataset.access
        assert said["to fetch"] == "not known" or re.fullmatch(r"[\d.]+ [GM]B", said["to fetch"])
        assert re.fullmatch(r"not measured|\d+( or more)?", said["build, s/GB"])
        assert (said["build, s/GB"] == "not measured") == (
            not any(cohort.mask or cohort.masks for cohort in dataset.cohorts)
        )
        assert all(quirk in said["quirks"] for quirk in dataset.quirks)


def test_examples_run():
    assert doctest.testmod(page_module).failed == 0


def test_the_command_writes_the_same_page(tmp_path, capsys):
    assert main(["catalog", "page", "--out", str(tmp_path / "page.md")]) == 0
    assert main(["catalog", "page"]) == 0
    shown = capsys.readouterr().out
    assert shown.endswith((tmp_path / "page.md").read_text("utf-8"))


@pytest.fixture
def catalog(archives, host, tmp_path):
    """A folder with one declaration of a user's own."""
    folder = tmp_path / "declared"
    folder.mkdir()
    (folder / "toy.toml").write_text(declaration(archives, host.url), "utf-8")
    return folder


def test_a_dataset_may_be_declared_outside_the_package(catalog, tmp_path, capsys):
    root = ["--root", str(tmp_path / "root"), "--catalog", str(catalog)]
    assert main(["catalog", "status", "toy", *root]) == 0
    assert "toy   not fetched  -" in capsys.readouterr().out
    assert main(["fetch", "toy", "--plan", *root]) == 0
    plan = capsys.readouterr().out
    assert "toy: Toy\n  licence   CC BY 4.0; Cite the paper\n  from      original\n" in plan
    assert "file    images.zip: 0.0 MB, sha256 pinned" in plan
    assert main(["fetch", "toy", *root]) == 1
    assert "toy: licence_not_accepted: toy: licence: CC BY 4.0" in capsys.readouterr().err
    assert main(["fetch", "toy", "--accept-licence", *root]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'root' / 'raw' / 'toy'}\n"
    assert main(["fetch", "toy", "--plan", *root]) == 0
    assert capsys.readouterr().out.count("there already") == 2
    assert main(["catalog", "status", "toy", *root]) == 0
    assert "toy   fetched  -" in capsys.readouterr().out
    for command, words in ((["list"], "toy "), (["show", "toy"], "toy: "), (["check"], "36 data")):
        main(["catalog", *command, "--catalog", str(catalog)])
        assert words in capsys.readouterr().out


def test_what_a_fetch_could_not_have_fails_and_the_others_are_fetched(
    catalog,
    archives,
    host,
    tmp_path,
    capsys,
):
    other = declaration(archives, f"{host.url}/none").replace('name = "toy"', 'name = "boy"')
    (catalog / "boy.toml").write_text(other, "utf-8")
    root = ["--root", str(tmp_path / "root"), "--catalog", str(catalog), "--accept-licence"]
    assert main(["fetch", "boy", "toy", *root]) == 1
    shown = capsys.readouterr()
    assert "boy: not_there: images.zip: HTTP 404 from 127.0.0.1: no such file there" in shown.err
    assert shown.out.splitlines() == [str(tmp_path / "root" / "raw" / "toy")]
    main(["catalog", "status", "boy", *root[:4]])
    assert "boy   0 of 2 archives" in capsys.readouterr().out


def test_files_at_hand_come_by_the_command_too(catalog, archives, tmp_path, capsys):
    (archives / "labels.tar.gz").unlink()
    root = ["--root", str(tmp_path / "root"), "--catalog", str(catalog), "--accept-licence"]
    assert main(["fetch", "toy", "--from", str(archives), *root]) == 1
    assert "toy: files_missing: labels.tar.gz: not found in" in capsys.readouterr().err
    main(["catalog", "status", "toy", *root[:4]])
    assert "toy   1 of 2 archives" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "expected a folder with declarations"),
        ("ACDC", "ACDC.toml: a built-in dataset has this name"),
        ("boy", "declares the name 'toy'; expected that of the file"),
    ],
)
def test_a_wrong_catalogue_of_ones_own_is_refused(catalog, tmp_path, capsys, text, words):
    folder = tmp_path / "wrong"
    folder.mkdir()
    if text:
        (folder / f"{text}.toml").write_text((catalog / "toy.toml").read_text("utf-8"), "utf-8")
    name = text or "toy"
    assert main(["catalog", "show", name, "--catalog", str(folder)]) == 2
    assert words in capsys.readouterr().err
    assert main(["catalog", "show", "tyo", "--catalog", str(catalog)]) == 2
    assert "did you mean 'toy'?" in capsys.readouterr().err


def test_a_plan_says_what_needs_an_account_and_how_to_get_it(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.delenv("HUGGING_FACE_HUB_TOKEN", raising=False)
    names = ["AbdomenAtlas1.0Mini", "ToothFairy2", "TotalSegmentator", "colin27-aal"]
    assert main(["fetch", "--plan", *names, "--root", str(tmp_path / "none")]) == 0
    shown = capsys.readouterr().out
    assert "a token from https://huggingface.co/settings/tokens in HF_TOKEN (is not set)" in shown
    assert "an account of the owner's: https://ditto.ing.unimore.it/toothfairy2/" in shown
    assert "Then: medvision fetch ToothFairy2 --from DIR" in shown
    assert "Totalsegmentator_dataset_v201.zip: 23.6 GB, md5 pinned" in shown
    assert "mricron-data 1.2.20211006+dfsg-4, sha256 pinned" in shown
    assert "needed: 57.4 GB or more, as 4 sizes are not known; free: " in shown
    assert not (tmp_path / "none").exists()
    for name, needed in (("TotalSegmentator", "57.4 GB"), ("KiTS23", "not known")):
        assert main(["fetch", "--plan", name, "--root", str(tmp_path / "none")]) == 0
        assert f"\nneeded: {needed}; free: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["ACDC", "--mirror", "ftp://x"], "expected an address"),
        (["ACDC", "--mirror", "http://x", "--from", "y"], "expected one of them"),
        (["colin27-aal", "--from", "y"], "pip and apt-get know mirrors of their own"),
        (["ACDC", "--source", "private"], "known: original, copy"),
    ],
)
def test_what_cannot_be_meant_is_refused(words, match, tmp_path, capsys):
    assert main(["fetch", *words, "--root", str(tmp_path)]) == 2
    assert match in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_ends_a_fetch_from_a_silent_host_at_once(catalog, host, tmp_path):
    large = bytes(1 << 20)
    host.files["/images.zip"] = large
    text = (catalog / "toy.toml").read_text("utf-8")
    text = re.sub(r"size_bytes = \d+", f"size_bytes = {len(large)}", text)
    (catalog / "toy.toml").write_text(text, "utf-8")
    host.faults["/images.zip"] = [("slow", 30)]
    words = ["fetch", "toy", "--catalog", catalog, "--root", tmp_path / "root", "--accept-licence"]
    child = subprocess.Popen([sys.executable, "-m", "medvision.cli", *words])
    part = tmp_path / "root" / "raw" / "toy" / ".downloads" / "s3_toy" / "images.zip.part"
    deadline = time.monotonic() + 30
    while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    assert child.wait(timeout=15) in (1, 130)
    assert part.stat().st_size > 0
