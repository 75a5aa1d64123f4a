"""One command from nothing to a suite's tables: what is missing is done, the rest is named."""

import multiprocessing
import os
import signal
import sys

import nibabel as nib
import numpy as np
import pytest

from medvision.catalog.dataset import parse_dataset
from medvision.cli import main
from medvision.table.read import read_cases, read_regions, read_structures
from tests.fetch.archive_files import write_archive
from tests.fetch.file_server import serving

SUITE = """
name = "three"
configs = [
    {task = "detection", dataset = "toy-a"},
    {task = "area", dataset = "toy-a"},
    {task = "detection", dataset = "toy-hand"},
    {task = "detection", dataset = "toy-gone"},
    {task = "detection", dataset = "toy-b"},
]
"""


def declaration(name, url, kind="s3"):
    """A dataset of one archive below an address, or one that a person has to get."""
    steps = 'steps = ["Join the challenge.", "Download all.zip."]\n' if kind == "other" else ""
    return f"""
name = "{name}"
description = "computed tomography (CT) scan"
licence = "CC BY 4.0"
homepage = "https://example.org/{name}"
access = "open"
how_to_get = "Ask its owner."
[[sources]]
kind = "{kind}"
id = "{name}"
url = "{url}/{name}"
downloads = ["all.zip"]
{steps}
[labels]
1 = {{ name = "liver", group = "Liver" }}
[[cohorts]]
mask = "Masks/{{case}}.nii.gz"
[[cohorts.images]]
modality = "CT"
files = "Images/{{case}}.nii.gz"
[[tasks]]
id = "01"
asks = ["detection", "area"]
"""


def archive(folder, seed):
    """Two cases, packed."""
    members = {}
    for case in range(2):
        mask = np.zeros((20, 24, 6), np.uint8)
        mask[3 : 15 + seed, 4 : 16 + case, 1:4] = 1
        for where, array in (("Images", mask.astype(np.int16)), ("Masks", mask)):
            folder.mkdir(exist_ok=True)
            nib.save(nib.Nifti1Image(array, np.diag([1.5, 1.5, 4, 1])), folder / "one.nii.gz")
            members[f"{where}/c{case}.nii.gz"] = (folder / "one.nii.gz").read_bytes()
    return write_archive(folder / f"{seed}.zip", members).read_bytes()


@pytest.fixture
def suite(tmp_path):
    """A server with the words of the command: one dataset is by hand, one is gone."""
    with serving() as server:
        server.files = {
            "/toy-a/all.zip": archive(tmp_path / "made", 0),
            "/toy-b/all.zip": archive(tmp_path / "made", 1),
        }
        declared = tmp_path / "declared"
        declared.mkdir()
        kinds = {"toy-a": "s3", "toy-b": "s3", "toy-hand": "other", "toy-gone": "s3"}
        for name, kind in kinds.items():
            text = declaration(name, server.url, kind)
            parse_dataset(text, name)
            (declared / f"{name}.toml").write_text(text, encoding="utf-8")
        (tmp_path / "three.toml").write_text(SUITE, encoding="utf-8")
        server.words = ["build", "--suite", str(tmp_path / "three.toml")]
        server.words += ["--catalog", str(declared)]
        yield server


def tables(root, name):
    folder = root / "tables" / name
    cases = [{**c, "images": 0, "mask_uri": 0} for c in read_cases(folder).to_pylist()]
    return cases, *(read(folder).to_pylist() for read in (read_structures, read_regions))


def test_a_suite_is_built_from_nothing_and_what_cannot_be_had_is_named(suite, tmp_path, capsys):
    words = [*suite.words, "--root", str(tmp_path / "root")]
    assert main(words) == 1
    told = capsys.readouterr().err
    assert "toy-a: licence_not_accepted: toy-a: licence: CC BY 4.0" in told
    assert "built: none" in told
    assert suite.asked == []
    assert main([*words, "--accept-licence"]) == 1
    shown = capsys.readouterr()
    assert shown.out.count("written; 2 of 2 cases") == 2
    assert "toy-hand: not_fetchable: toy-hand is not fetched automatically. Ask its owner." in (
        shown.err
    )
    assert "1. Join the challenge. 2. Download all.zip." in shown.err
    assert "toy-gone: not_there: all.zip: HTTP 404" in shown.err
    assert "not built: toy-hand (not_fetchable), toy-gone (not_there); built: toy-a, toy-b" in (
        shown.err
    )
    n_asked = len(suite.asked)
    suite.files["/toy-gone/all.zip"] = suite.files["/toy-a/all.zip"]
    assert main([*words, "--accept-licence"]) == 1
    assert capsys.readouterr().out.count("already up to date; 2 of 2 cases") == 2
    assert {path for path, _ in suite.asked[n_asked:]} == {"/toy-gone/all.zip"}
    assert tables(tmp_path / "root", "toy-gone")[1][0]["dataset"] == "toy-gone"


def test_a_mirror_serves_a_whole_suite(suite, tmp_path, capsys):
    suite.files = {
        f"/copy/{name}/all.zip": suite.files["/toy-a/all.zip"]
        for name in ("toy-a", "toy-b", "toy-hand", "toy-gone")
    }
    words = [*suite.words, "--root", str(tmp_path / "root"), "--accept-licence"]
    assert main([*words, "--mirror", f"{suite.url}/copy"]) == 0
    assert capsys.readouterr().out.count("2 of 2 cases") == 4


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--suite", "none"], "no suite 'none'; expected a .toml file or one of ad, "),
        (["--suite", "demo"], "no dataset 'phantom-abdomen' in the catalogue"),
        (["--suite", "any.toml"], "--suite any.toml: it names no dataset"),
        (["--suite", "ad", "--out", "x"], "--out: for one dataset alone"),
    ],
)
def test_suites_that_cannot_be_built_are_refused(words, told, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = 'name = "any"\nconfigs = [{task = "area"}]\n'
    (tmp_path / "any.toml").write_text(text, encoding="utf-8")
    assert main(["build", *words, "--root", str(tmp_path / "root")]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "root").exists()


def test_an_archive_that_lacks_files_is_refused_each_time(suite, tmp_path, capsys):
    path = tmp_path / "declared" / "toy-a.toml"
    text = path.read_text(encoding="utf-8")
    lacking = 'downloads = [{ name = "all.zip", holds = ["Extra/*"] }]'
    path.write_text(text.replace('downloads = ["all.zip"]', lacking), encoding="utf-8")
    words = ["build", "toy-a", "--catalog", str(path.parent), "--accept-licence"]
    for _ in range(2):
        assert main([*words, "--root", str(tmp_path / "root")]) == 1
        assert "toy-a: files_missing: all.zip: expected files like" in capsys.readouterr().err
    assert list((tmp_path / "root" / "raw" / "toy-a").rglob("*.nii.gz")) == []


POINTS = {
    "an archive has come": "medvision.fetch.bring.unpack",
    "it is unpacked, and not yet entered": "medvision.fetch.bring.write_record",
    "all archives are entered": "medvision.fetch.fetch.write_manifest",
    "a dataset is fetched": "medvision.table.catalogue.declared_request",
    "a case is measured": "medvision.table.build._merge",
    "all cases are merged": "medvision.table.build._publish",
    "the first dataset is built": "medvision.cli.build.sys.stdout.write",
}
"""What is killed just before, by what has been done by then."""


def run_and_die(point, words):
    """In a process of its own: kill it where it calls a function for the first time."""
    where, _, name = point.rpartition(".")
    if where.endswith("stdout"):
        module = sys.stdout
    else:
        __import__(where)
        module = sys.modules[where]
    setattr(module, name, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
    main(words)


def test_a_build_killed_between_any_two_stages_goes_on(suite, tmp_path, capsys):
    """Killed before each stage in turn, on one root: each run gets a stage further."""
    words = [*suite.words, "--accept-licence", "--root"]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["medvision.cli.build"])
    for done, point in POINTS.items():
        child = context.Process(target=run_and_die, args=(point, [*words, str(tmp_path / "root")]))
        child.start()
        child.join(timeout=60)
        assert child.exitcode == -signal.SIGKILL, done
    n_asked = [path for path, _ in suite.asked].count("/toy-a/all.zip")
    assert n_asked == 1  # what has come is not asked for again
    main([*words, str(tmp_path / "root")])
    main([*words, str(tmp_path / "whole")])
    capsys.readouterr()
    for name in ("toy-a", "toy-b"):
        assert tables(tmp_path / "root", name) == tables(tmp_path / "whole", name)
        raw = tmp_path / "root" / "raw" / name
        assert (raw / "manifest.json").exists()
        assert [path.name for path in raw.rglob(".*") if path.name != ".fetched"] == []
