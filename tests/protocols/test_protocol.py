import dataclasses
import tomllib
from importlib import resources

import pytest

from medvision.declarations import DeclarationError
from medvision.errors import UsageError
from medvision.frames import View
from medvision.protocols import (
    MEDVISION,
    Protocol,
    Reading,
    Suspect,
    Weighting,
    load_protocol,
    protocol_from,
    protocol_names,
)
from medvision.table.manifest import jsonable
from medvision.tasks import Task


def test_default_is_what_its_file_writes_out():
    assert load_protocol("medvision") == MEDVISION
    assert protocol_from({}) == MEDVISION


@pytest.mark.parametrize("name", protocol_names())
def test_files_write_every_part_out(name):
    text = (resources.files("medvision.protocols") / f"{name}.toml").read_text("utf-8")
    written = tomllib.loads(text)
    assert set(written) == {field.name for field in dataclasses.fields(Protocol)}
    protocol = load_protocol(name)
    assert protocol.name == name
    for part in ("prompt", "filters", "averages"):
        assert set(written[part]) == set(dataclasses.asdict(getattr(protocol, part)))


def test_paper_differs_in_view_reading_facts_filters_and_averages():
    paper = load_protocol("paper")
    assert (paper.view, paper.reading) == (View.ORIGINAL, Reading.FIRST_BLOCK)
    assert paper.prompt.sizes_of == (Task.TUMOR_LESION, Task.ANGLE_DISTANCE)
    assert paper.filters.suspect_spacing is Suspect.KEPT
    assert paper.averages.weighting is Weighting.SAMPLE_WEIGHTED


@pytest.mark.parametrize("name", protocol_names())
def test_a_manifest_gives_the_protocol_back(name):
    protocol = load_protocol(name).with_parts(view=View.ORIGINAL, reading=Reading.STRICT)
    assert protocol_from({"protocol": jsonable(protocol)}) == protocol


def test_parts_set_alone_are_in_the_name():
    one = MEDVISION.with_parts(view=View.ORIGINAL, reading=Reading.FIRST_BLOCK)
    assert one.name == "medvision, view original, reading first_block"
    assert MEDVISION.with_parts(view=View.RADIOLOGICAL, reading=None) is MEDVISION


@pytest.mark.parametrize("part", ["prompt", "filters", "averages"])
def test_each_part_of_another_may_be_taken_alone(part):
    paper = load_protocol("paper")
    one = MEDVISION.with_part_of(paper, part)
    assert one.name == f"medvision, {part} of paper"
    differs = {
        field.name
        for field in dataclasses.fields(Protocol)
        if getattr(one, field.name) != getattr(MEDVISION, field.name)
    }
    assert differs == {"name", part}
    assert getattr(one, part) == getattr(paper, part)
    assert paper.with_part_of(paper, part) is paper


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\nversion = "3"\n[averages]\nmin_samples = 5\n')
    mine = load_protocol(str(path))
    assert (mine.name, mine.view, mine.averages.min_samples) == ("mine", View.RADIOLOGICAL, 5)
    path = tmp_path / "wrong.toml"
    path.write_text('name = "mine"\nversion = "3"\nview = "upside_down"\n')
    with pytest.raises(DeclarationError, match="view: expected one of radiological, original"):
        load_protocol(str(path))
    with pytest.raises(UsageError, match=r"no protocol 'papers'; expected .* medvision, paper"):
        load_protocol("papers")
