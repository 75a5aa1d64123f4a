"""Whether the stated pixel size is used, from the runs inside a run."""

import dataclasses
import math
import re

import numpy as np
import pytest

from medvision.analysis.read_run import read_run, with_asked_again
from medvision.analysis.verdicts.rows import run_rows
from medvision.analysis.verdicts.spacing import spacing
from medvision.cli import main
from tests.analysis.verdicts import studies
from tests.model_server import say

QUESTIONS = studies.questions(n_subjects=20)
NAMES = {"tl", "area"}


def verdicts(answer, **options):
    run = studies.asked_with_pixel_sizes("m", QUESTIONS, answer, **options)
    return {one.task: one for one in spacing([run_rows(run)])}


def test_use_of_the_pixel_size_is_a_slope_of_one_for_lengths_and_areas():
    found = verdicts(studies.exact)
    assert set(found) == NAMES
    for one in found.values():
        assert one.verdict == "not_found"
        assert one.value == pytest.approx(1, abs=0.02)
        assert one.interval[0] < 1 < one.interval[1]


def test_a_pixel_size_of_ones_own_is_a_slope_of_zero():
    found = verdicts(studies.guessed_pixel_size)
    for one in found.values():
        assert one.verdict == "found"
        assert one.value == pytest.approx(0, abs=0.03)
        assert [row["median_ratio"] for row in one.details["by_scale"]] == pytest.approx(
            [1, 1], abs=0.1
        )


def test_half_of_the_way_is_a_slope_between():
    def half(one, rng):
        if one.unit not in ("mm", "mm2"):
            return studies.exact(one, rng)
        power = 1 if one.unit == "mm" else 2
        scale = (0.65 / one.geometry.spacing_x_mm) ** (power / 2)
        return studies.exact(one, rng) * scale

    found = verdicts(half)
    assert [one.value for one in found.values()] == pytest.approx([0.5, 0.5], abs=0.02)
    assert {one.verdict for one in found.values()} == {"found"}


def test_slope_is_that_of_a_line_fitted_question_by_question():
    """Against NumPy: one slope for all questions, a level for each."""
    run = studies.asked_with_pixel_sizes("m", QUESTIONS, studies.sure, factors=(0.5, 3.0))
    by_name = {}
    for factor, one in ((1.0, run), (0.5, run.asked_again[0]), (3.0, run.asked_again[1])):
        for row in one.scores.to_pylist():
            if row["task"] == "area":
                by_name.setdefault(row["sample_id"], []).append(
                    (math.log(factor), math.log(row["values"][0]) / 2)
                )
    design, told = [], []
    for at, points in enumerate(by_name.values()):
        for x, y in points:
            design.append([x, *(float(at == other) for other in range(len(by_name)))])
            told.append(y)
    expected = np.linalg.lstsq(np.array(design), np.array(told), rcond=None)[0][0]
    (found,) = (one for one in spacing([run_rows(run)]) if one.task == "area")
    assert found.value == pytest.approx(expected, abs=1e-9)
    assert found.n == len(by_name)


def test_unread_and_zero_answers_are_left_out():
    def sometimes_zero(one, rng):
        values = studies.exact(one, rng)
        return values * 0 if rng.uniform() < 0.3 else values

    for one in verdicts(sometimes_zero).values():
        assert one.value == pytest.approx(1, abs=0.02)
        assert all(row["n"] < 120 for row in one.details["by_scale"])


def test_withheld_alone_says_what_stating_it_gains():
    run = studies.asked_with_pixel_sizes("m", QUESTIONS, studies.sure, factors=())
    for one in spacing([run_rows(run)]):
        assert (one.verdict, one.value) == ("not_enough", None)
        assert one.details["withheld"]["interval"][0] > 0
    assert not list(spacing([run_rows(dataclasses.replace(run, asked_again=()))]))


SAYS = re.compile(r"each pixel is ([\d.]+) mm wide and ([\d.]+) mm high")


def measured(stated_mm):
    """A server that measures the bright lesion; `stated_mm` says how large a pixel is."""

    def answer(request, _index):
        picture = request.picture
        pixels = picture if picture.ndim == 2 else picture[..., 0]
        ys, xs = np.nonzero(pixels > 0.6 * pixels.max())
        x_mm, y_mm = stated_mm(request.text)
        sides = sorted(((np.ptp(xs) + 1) * x_mm, (np.ptp(ys) + 1) * y_mm))
        return say(f"{sides[1]:.3f}, {sides[0]:.3f}")

    return answer


def read(text):
    found = SAYS.search(text)
    return tuple(map(float, found.groups())) if found else (1.0, 1.0)


@pytest.fixture
def evaluated(study_tables, tmp_path, serve):
    """Asks a server of such a kind about the study's lesions, with two further pixel sizes."""

    def evaluate(stated_mm, *more):
        server = serve(measured(stated_mm))
        run = tmp_path / "run"
        words = ["eval", "--tables", study_tables, "--task", "tl", "--split", "all"]
        words += ["--model", "openai/m", "--base-url", server.base_url, "--family", "as_sent"]
        words += ["--run", run, "--limit", 30, *more]
        assert main([str(word) for word in words]) == 0
        return server, run

    return evaluate


@pytest.mark.parametrize(
    ("stated_mm", "slope", "verdict"),
    [(read, 1, "not_found"), (lambda text: (0.8, 1.0), 0, "found")],
    ids=["reads it", "does not"],
)
def test_a_server_that_reads_the_prompt_is_told_from_one_that_does_not(
    evaluated, stated_mm, slope, verdict
):
    server, run = evaluated(stated_mm, "--scale-spacing", "0.5,2", "--withhold-spacing")
    (found,) = spacing([run_rows(with_asked_again(read_run(run), run))])
    assert found.value == pytest.approx(slope, abs=0.02)
    assert (found.verdict, found.n) == (verdict, 30)
    assert len(server.requests) == 4 * 30
    assert sum("each pixel is" in text for text in server.texts) == 3 * 30
