"""Square pixels, fixed shapes, profiles: what is sent and stated, and what is asked anew."""

import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from medvision.cli import main
from medvision.models.base import ALL_TASKS, Reply, ResponseStatus, chat_messages
from medvision.models.evaluate import EvalRequest, evaluate
from medvision.pictures.render import PixelGrid, SlicePictures
from medvision.pictures.view import PictureFamily
from medvision.samples.select import select_samples, table_folders
from medvision.samples.suite import Suite, TaskConfig
from medvision.scoring.score_run import score_run
from medvision.tasks import Task

STATED = re.compile(
    r"(\d+) pixels wide and (\d+) pixels high; each pixel is ([\d.]+) mm wide and ([\d.]+) mm high"
)


class Recorder:
    """A served model that keeps what it is sent and answers by a function of the question."""

    model_id, revision, settings, tasks = "openai/recorder", "", {}, ALL_TASKS

    def __init__(self, answer=lambda question: "1.00, 1.00"):
        self.answer = answer
        self.asked = []

    def key_inputs(self, question):
        return {}

    async def reply(self, question, image_png):
        self.asked.append((question, np.asarray(Image.open(io.BytesIO(image_png)))))
        return Reply(status=ResponseStatus.OK, text=self.answer(question), http_code=200)

    async def aclose(self):
        pass


@pytest.fixture
def ask(study_tables, tmp_path):
    def run(task, family, model, *, limit=6, **request):
        suite = Suite(name="t", configs=(TaskConfig(task=Task(task)),), cap_per_config=None)
        found = select_samples(suite, table_folders([study_tables]), split="all", limit=limit)
        summary = EvalRequest(samples=found.table, model=model, family=family, **request)
        evaluate(summary, tmp_path / "run")
        return tmp_path / "run"

    return run


@pytest.mark.parametrize("shape", [{"square": True}, {"shape_hw": (90, 50)}])
@pytest.mark.parametrize("name", ["as_sent", "448x448", "llava_onevision", "clip336_pad"])
def test_stated_millimetres_are_those_of_the_slice(ask, name, shape):
    """Stated size × stated pixel is the slice's extent, but for padding, which adds to it."""
    model, family = Recorder(), PictureFamily(name=name, **shape)
    ask("tl", family, model)
    assert len(model.asked) == 6
    for question, picture in model.asked:
        sample = question.sample
        width, height, pixel_x, pixel_y = map(float, STATED.search(question.prompt_text).groups())
        seen = family.view(sample.geometry).perceived
        assert (height, width) == seen.canvas_hw
        x0, y0, x1, y1 = seen.content_box_px
        shape = sample.geometry
        assert (x1 - x0) * pixel_x == pytest.approx(shape.width_px * shape.spacing_x_mm, rel=1e-5)
        assert (y1 - y0) * pixel_y == pytest.approx(shape.height_px * shape.spacing_y_mm, rel=1e-5)
        if name == "as_sent":
            shown = SlicePictures().image(sample, family.grid).pixels
            assert np.array_equal(picture, shown)
            assert picture.shape == (height, width)
        assert question.pixel_shape == picture.shape[:2]
        if family.square:
            assert pixel_x == pytest.approx(pixel_y, rel=0.02) or name == "448x448"


@pytest.mark.parametrize("name", ["as_sent", "llava_onevision", "mllama", "clip336_pad"])
def test_boxes_come_back_from_square_pictures(ask, name):
    """A model that answers in the frame of the picture sent scores 1, whatever the picture."""
    from medvision.pictures.perceived import box_on_sent_from_slice

    family = PictureFamily(name=name, square=True)

    def exact(question):
        box = box_on_sent_from_slice(
            question.sample.truth, family.view(question.sample.geometry).perceived
        )
        return ", ".join(f"{value:.6f}" for value in box)

    run = ask("detection", family, Recorder(exact))
    assert min(score_run(run)["iou"].to_pylist()) > 0.99


def test_another_grid_asks_again_and_the_same_does_not(ask):
    counts = []
    shapes = [{}, {"square": True}, {"shape_hw": (90, 50)}, {"square": True}, {}]
    for shape in shapes:
        model = Recorder(lambda question: "0.1, 0.1, 0.9, 0.9")
        ask("detection", PictureFamily(name="as_sent", **shape), model)
        counts.append(len(model.asked))
    assert counts == [6, 6, 6, 0, 0]


def test_manifest_reads_back_as_the_same_family(ask):
    family = PictureFamily(name="as_sent", shape_hw=(90, 50))
    run = ask("detection", family, Recorder())
    stored = PictureFamily(
        **json.loads((run / "manifest.json").read_text(encoding="utf-8"))["family"]
    )
    assert stored.grid == family.grid == PixelGrid(shape_hw=(90, 50))


def test_system_message_is_sent_and_part_of_the_key(ask):
    model = Recorder()
    ask("detection", PictureFamily(name="as_sent"), model, system_text="Be exact.")
    ask("detection", PictureFamily(name="as_sent"), model)
    assert [bool(question.system_text) for question, _ in model.asked] == [True] * 6 + [False] * 6
    assert chat_messages(model.asked[0][0], "u")[0] == {"role": "system", "content": "Be exact."}


@pytest.mark.parametrize(("name", "detail"), [("openai_tile", "high"), ("gemma3", None)])
def test_detail_is_pinned_where_an_api_would_choose(ask, name, detail):
    model = Recorder()
    ask("detection", PictureFamily(name=name), model, limit=1)
    (image, _) = chat_messages(model.asked[0][0], "u")[-1]["content"]
    assert image["image_url"].get("detail") == detail


@pytest.fixture
def recorded(monkeypatch):
    """`medvision eval` with the recorder in the server's place; settings as they were made."""
    model = Recorder()

    def make(settings):
        model.made = settings.generation
        return model

    monkeypatch.setattr("medvision.cli.model.OpenAIServer", make)
    return model


def evaluate_words(tables, run, model, *options):
    words = ["eval", "--tables", tables, "--task", "tl", "--limit", "3", "--run", run]
    return main([str(word) for word in [*words, "--model", model, *options]])


def test_known_model_needs_no_family(study_tables, tmp_path, recorded):
    model = "openai/Qwen/Qwen2.5-VL-7B-Instruct"
    assert evaluate_words(study_tables, tmp_path / "r", model) == 0
    assert len(recorded.asked) == 3
    manifest = json.loads((tmp_path / "r" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["family"]["name"] == "qwen2_5_vl"
    assert manifest["profile"]["coordinates"] == "canvas_px_xyxy"


def test_explicit_options_win_over_the_profile(study_tables, tmp_path, recorded):
    own = tmp_path / "own.toml"
    own.write_text(
        "[[model]]\nids=['m']\nfamily='mllama'\nlimits={max_tiles=2}\ntemperature='server'\n"
        "max_tokens=7\nstyle='cot'\nsystem_text='S'\n"
    )
    profiles = ["--profiles", own]
    evaluate_words(study_tables, tmp_path / "a", "openai/m", *profiles)
    question, _ = recorded.asked[0]
    assert (recorded.made.temperature, recorded.made.max_tokens) == (None, 7)
    assert (question.style, question.system_text) == ("cot", "S")
    family = json.loads((tmp_path / "a" / "manifest.json").read_text(encoding="utf-8"))["family"]
    assert (family["name"], family["limits"]) == ("mllama", {"max_tiles": 2})
    given = [
        "--family",
        "448x448",
        "--temperature",
        "0.5",
        "--max-tokens",
        "9",
        "--style",
        "direct",
    ]
    evaluate_words(study_tables, tmp_path / "b", "openai/m", *profiles, *given, "--square")
    assert (recorded.made.temperature, recorded.made.max_tokens) == (0.5, 9)
    family = json.loads((tmp_path / "b" / "manifest.json").read_text(encoding="utf-8"))["family"]
    assert family == {"name": "448x448", "limits": None, "square": True, "shape_hw": None}


def test_unknown_api_model_is_an_error(study_tables, tmp_path, recorded, capsys):
    assert evaluate_words(study_tables, tmp_path / "r", "openai/claude-9") == 2
    assert "no profile knows 'openai/claude-9'" in capsys.readouterr().err
    words = ["--family", "claude"]
    assert evaluate_words(study_tables, tmp_path / "r", "openai/claude-9", *words) == 2
    assert "caps that differ per model" in capsys.readouterr().err
    assert not recorded.asked
