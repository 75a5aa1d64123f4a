"""The documents say what the code does: their examples run, their tables are complete."""

import re
from pathlib import Path

import pytest

from benchmarks import structure
from medvision.cli import COMMANDS
from medvision.frames import relative_from_box_px
from medvision.prompts.answers import ANSWER_FORMATS
from medvision.replies import AnswerStatus, Style, read_answer
from medvision.scoring import score
from medvision.table.schema import BIOMETRIC_SCHEMA, CASE_SCHEMA, REGION_SCHEMA
from medvision.tasks import Task

ROOT = Path(__file__).resolve().parent.parent
CONVENTIONS = (ROOT / "docs" / "conventions.md").read_text(encoding="utf-8")


def test_worked_example_gives_the_numbers_it_states():
    (code,) = re.findall(r"```python\n(.*?)```", CONVENTIONS, flags=re.DOTALL)
    names = {}
    exec(code, names)  # our own document
    axial = names["axial"]
    box = tuple(axial[name] for name in ("x0_px", "y0_px", "x1_px", "y1_px"))
    assert (axial["plane"], axial["slice_index"], box) == ("axial", 1, (2, 1, 5, 6))
    assert axial["area_mm2"] == 30
    assert axial["feret_max_mm"] == pytest.approx(5.657, abs=5e-4)
    assert axial["moment_major_mm"] == pytest.approx(6.532, abs=5e-4)
    assert axial["moment_minor_mm"] == pytest.approx(5.657, abs=5e-4)
    assert axial["ellipse_major_mm"] == pytest.approx(5.48, abs=5e-3)
    assert axial["ellipse_minor_mm"] == pytest.approx(4.67, abs=5e-3)
    assert axial["ellipse_area_ratio"] == pytest.approx(0.67, abs=5e-3)
    truth = tuple(relative_from_box_px(box, axial["height_px"], axial["width_px"]))
    written = ANSWER_FORMATS[Task.DETECTION].write(truth, Style.DIRECT)
    assert written == "0.3333, 0.2500, 0.8333, 0.8750"
    row = score("detection", truth, read_answer("detection", "0.3333, 0.2500, 0.8333, 0.7500"))
    assert row.iou == pytest.approx(0.8, abs=1e-3)


def test_conventions_name_every_column_family_and_status():
    for name in REGION_SCHEMA.names:
        assert name in CONVENTIONS or re.match(r"(major|minor|feret)_[xy][01]_px", name), name
    for name in ("metric_kind", "vertex_value_deg", "points"):
        assert name in BIOMETRIC_SCHEMA.names
        assert name in CONVENTIONS
    for name in ("spacing_source", "obliquity_deg", "volume_fingerprint"):
        assert name in CASE_SCHEMA.names
        assert name in CONVENTIONS
    assert all(f"`{status}`" in CONVENTIONS for status in AnswerStatus if status != "ok")


def test_readme_names_only_commands_that_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^(?:\s*)medvision (\w+)", text, flags=re.MULTILINE))
    assert named
    assert named <= set(COMMANDS)


def test_readme_says_it_is_not_for_clinical_use():
    assert "Not for clinical use" in (ROOT / "README.md").read_text(encoding="utf-8")


def links(path):
    """Files and folders that a document links to."""
    targets = re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8"))
    return [(path.parent / target).resolve() for target in targets if "://" not in target]


@pytest.mark.parametrize(
    "path",
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_links_between_documents_lead_somewhere(path):
    assert [target for target in links(path) if not target.exists()] == []


def test_index_leads_to_every_page_and_example():
    pages = {*ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md"), *ROOT.glob("*.md")}
    linked = set(links(ROOT / "docs" / "index.md"))
    assert sorted(pages - linked - {ROOT / "docs" / "index.md"}) == []
    examples = {path.parent for path in ROOT.glob("examples/*/*") if path.is_file()}
    assert sorted(examples - {target.parent for target in linked}) == []


def test_readme_leads_to_the_index_and_to_contributing():
    assert {ROOT / "docs" / "index.md", ROOT / "CONTRIBUTING.md"} <= set(links(ROOT / "README.md"))


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_make_targets_that_documents_name_exist(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    # In a block of commands, each with its comment, or in backquotes; "make a change" is prose.
    named = set(re.findall(r"^make ([\w-]+) +#", text, re.MULTILINE))
    named |= set(re.findall(r"`make ([\w-]+)`", text))
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert named
    assert named <= set(targets)


def test_contributing_states_the_bounds_that_are_checked():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for row in (
        f"| private helpers used once | at most {structure.ONCE_USED_MAX_FRAC:.0%} of functions |",
        f"| functions of {structure.SHORT_LINES} body lines or less "
        f"| at least {structure.SHORT_MIN_FRAC:.0%} |",
        f"| longest function | {structure.FUNCTION_MAX_LINES} body lines |",
        f"| longest module | {structure.MODULE_MAX_LINES} lines |",
        f"| cloned lines ({structure.CLONE_TOKENS} equal tokens) "
        f"| below {structure.CLONED_BELOW_FRAC:.0%} |",
    ):
        assert row in text.replace(" %", "%")


def test_architecture_names_every_room_in_words_and_in_the_picture():
    rooms = {
        path.stem
        for path in (ROOT / "src" / "medvision").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    } - {"__init__"}
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawn = (ROOT / "docs" / "figures" / "architecture.svg").read_text(encoding="utf-8")
    assert {room for room in rooms if f"`{room}`" not in page} == set()
    assert {room for room in rooms if f">{room}<" not in drawn} == set()


def test_files_that_architecture_tells_to_touch_exist():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"`([\w./]+\.(?:py|toml|md))`", page)
    places = (ROOT, ROOT / "src" / "medvision")
    assert named
    assert [name for name in named if not any((place / name).exists() for place in places)] == []
