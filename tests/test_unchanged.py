"""Tables, questions, pictures, requests and scores are those of commit b1f02db.

`record_unchanged` does now what it did with that version and notes what comes of it;
`data/unchanged.json` holds the digests of that version's notes, by numbers of nine digits. A
failure lists the notes that differ; `record_unchanged` says how the other version's are made, to
see the difference. A change that is meant, of a prompt or of pixels, makes the record anew with the
version that has it. Meant since: a size in a unit that is not known is not read ("12.5 furlongs"),
and axes that are named are read in either order ("minor axis 12.5 mm; major axis 20,5 mm").

Not compared: keys of baselines; digests of image files; columns, tasks and datasets that came
later; on a processor that draws some pixels of the X-ray phantoms otherwise (see `note_arithmetic`)
what follows from these pixels; Colin27 where there is no apt-get.

`data/run_of_b1f02db` is a run as that version stored it.
"""

import shutil

import pytest

from medvision.scoring.judged_scores import JUDGED_SCHEMA
from tests.notes import Notes, plain
from tests.record_unchanged import (
    DIGESTS,
    REAL,
    STORED_RUN,
    ask_stored,
    command,
    note_arithmetic,
    note_demo,
    note_names,
    note_real,
    note_report,
    read_json,
    read_parquet,
    stored_requests,
)
from tests.scripted_server import scripted_server

RECORDED = read_json(DIGESTS)

OF_PIXELS = {"volume_fingerprint", "pixels", "keys", "sent"}
OF_PIXELS |= {"replies", "outcomes", "readings", "scores"}
"""Parts of notes that may follow from pixels: the scripted server's replies do."""


def subjects(source):
    """What was recorded from one source: "demo run cot" for its groups "demo run cot, tl of …"."""
    groups = (group for group in RECORDED["digests"] if group.startswith(source))
    return list(dict.fromkeys(group.partition(", ")[0] for group in groups))


def recorded(subject):
    """Groups of one subject with the digests of their parts."""
    found = RECORDED["digests"].items()
    return {group: parts for group, parts in found if group.partition(", ")[0] == subject}


def check(notes, groups):
    """Fail with the notes that are not as recorded, or not there."""
    differ = [
        str(notes.path(group, part))
        for group, parts in groups.items()
        for part, digest in parts.items()
        if notes.digests.get(group, {}).get(part) != digest
    ]
    assert not differ, "\n".join(["these notes differ from those of the record:", *differ])


def new_notes(folder):
    return Notes(folder=folder, columns=RECORDED["columns"])


@pytest.fixture(scope="module")
def draws_alike(tmp_path_factory):
    """Whether this processor draws the X-ray phantoms as the one of the record did."""
    notes = new_notes(tmp_path_factory.mktemp("arithmetic"))
    note_arithmetic(notes)
    return notes.digests["arithmetic"] == recorded("arithmetic")["arithmetic"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Notes of the phantoms' demo, and its data root."""
    folder = tmp_path_factory.mktemp("demo")
    notes = new_notes(folder / "notes")
    note_demo(notes, folder / "demo")
    return notes, folder / "demo"


@pytest.mark.parametrize("subject", subjects("demo"))
def test_demo_is_unchanged(subject, demo, draws_alike):
    notes, _ = demo
    groups = recorded(subject)
    for group in groups if not draws_alike else ():
        if group.endswith("of phantom-xray"):
            groups[group] = {part: groups[group][part] for part in groups[group].keys() - OF_PIXELS}
    check(notes, groups)


@pytest.fixture(scope="module")
def real(real_root, tmp_path_factory):
    """Notes of the real images' demo on files fetched before, and the datasets that it has."""
    root = tmp_path_factory.mktemp("real")
    (root / "raw").symlink_to(real_root / "raw")
    notes = new_notes(root / "notes")
    note_real(notes, root)
    return notes, [name for name in REAL if (root / "tables" / name).exists()]


@pytest.mark.registry
@pytest.mark.parametrize("subject", subjects("real"))
def test_demo_on_real_images_is_unchanged(subject, real):
    notes, present = real
    groups = {
        group: parts
        for group, parts in recorded(subject).items()
        if group.rpartition(" of ")[2] in present
    }
    if not groups:
        pytest.skip("Colin27 is a Debian package and this machine has no apt-get")
    check(notes, groups)


def test_stable_names_give_the_same(tmp_path):
    notes = new_notes(tmp_path)
    note_names(notes)
    for subject in subjects("names"):
        check(notes, recorded(subject))


@pytest.fixture
def stored(tmp_path):
    """A copy of the run that the version before stored; its images are nowhere."""
    return shutil.copytree(STORED_RUN, tmp_path / "run")


def test_stored_run_is_scored_as_before(stored):
    before = read_parquet(stored / "scores.parquet")
    (stored / "scores.parquet").unlink()
    command("score", stored, "--max-error-rate", "1")
    after = read_parquet(stored / "scores.parquet")
    own = [name for name in before.column_names if name not in JUDGED_SCHEMA.names]
    assert plain(after.select(own).to_pylist()) == plain(before.select(own).to_pylist())
    # Its judge answered by the prompt's digest, so with numbers that no reply holds.
    assert "ok" in before["judged_status"].to_pylist()
    assert "made_up" in after["judged_status"].to_pylist()
    assert "ok" not in after["judged_status"].to_pylist()
    assert {"ok", "error", "refused", "truncated"} <= set(after["response_status"].to_pylist())


def test_stored_run_is_reported_as_before(stored, tmp_path):
    notes = new_notes(tmp_path / "notes")
    note_report(notes, stored)
    check(notes, recorded("report"))
    page = tmp_path / "report.html"
    command("report", stored, "--out", page)
    assert "openai/tiny" in page.read_text(encoding="utf-8")


def test_stored_run_goes_on_where_it_stood(stored, demo, draws_alike):
    """Its keys are those of the same questions now: only its failures are asked again."""
    if not draws_alike:
        pytest.skip("this processor draws other X-ray phantoms than were asked about")
    _, root = demo
    before = stored_requests(stored)
    failed = [row["key"] for row in before.values() if row["status"] == "error"]
    with scripted_server() as server:
        ask_stored(server, root, stored)
    assert failed
    assert len(server.requests) == len(failed)
    assert stored_requests(stored).keys() == before.keys()
    for who, row in stored_requests(stored).items():
        assert row == before[who] or before[who]["key"] in failed
