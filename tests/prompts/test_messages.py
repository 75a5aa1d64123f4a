import pytest

from medvision.frames import SliceGeometry
from medvision.pictures.perceived import StatedFrame
from medvision.prompts.answers import ANSWER_FORMATS
from medvision.prompts.messages import prompt_text
from medvision.replies import Style
from medvision.samples import Point
from medvision.tasks import BOX_TASKS, Task
from tests import builders

FRAME = StatedFrame(height_px=420, width_px=504, pixel_y_mm=0.8125, pixel_x_mm=0.703125)

LANDMARKS = tuple(
    Point(key=key, name=name, x_px=1.0, y_px=2.0)
    for key, name in (("a", "sella"), ("b", "nasion"), ("b", "nasion"), ("c", "menton"))
)
ANGLE = {"metric_kind": "angle", "unit": "deg", "points": LANDMARKS}


def sample(task, **changes):
    fields = {"name": "liver tumor", "description": "abdominal computed tomography (CT) scan"}
    fields |= ANGLE if task is Task.ANGLE_DISTANCE else {}
    return builders.sample(task, **{**fields, **changes})


@pytest.mark.parametrize("task", Task)
@pytest.mark.parametrize("style", Style)
def test_prompt_holds_image_structure_and_answer_form(task, style):
    text = prompt_text(sample(task), style, FRAME)
    assert "an axial slice." in text
    assert "abdominal computed tomography (CT) scan" in text
    assert "liver tumor" in text
    assert text.endswith(ANSWER_FORMATS[task].ask(style, sample(task).unit))


@pytest.mark.parametrize("task", [task for task in Task if task not in BOX_TASKS])
def test_measurements_state_image_size_and_pixel_size(task):
    text = prompt_text(sample(task), Style.DIRECT, FRAME)
    assert "504 pixels wide and 420 pixels high" in text
    assert "0.703125 mm wide and 0.8125 mm high" in text


def test_detection_states_the_frame_and_no_size():
    text = prompt_text(sample(Task.DETECTION), Style.DIRECT, FRAME)
    assert "0 at the left" in text
    assert "0 at the bottom" in text
    assert "504" not in text


def test_a_count_says_from_which_size_regions_count():
    geometry = SliceGeometry(height_px=64, width_px=64, spacing_y_mm=0.5, spacing_x_mm=0.8)
    text = prompt_text(sample(Task.COUNT, min_px=10, geometry=geometry), Style.DIRECT, FRAME)
    assert "a region smaller than 4 mm² does not count" in text
    assert text.endswith("Reply with only one whole number.")


def test_truth_never_stands_in_a_prompt():
    asked = sample(Task.TUMOR_LESION, truth=(31.27, 18.43))
    assert "31.27" not in prompt_text(asked, Style.COT, FRAME)


def test_angles_name_their_landmarks_and_range():
    acute = prompt_text(sample(Task.ANGLE_DISTANCE), Style.DIRECT, FRAME)
    assert "acute angle" in acute
    assert "0 to 90" in acute
    assert all(name in acute for name in ("sella", "nasion", "menton"))
    at_vertex = sample(Task.ANGLE_DISTANCE, metric_kind="vertex_angle")
    assert "0 to 180" in prompt_text(at_vertex, Style.DIRECT, FRAME)


def test_native_pictures_are_no_slices():
    text = prompt_text(sample(Task.DETECTION, plane="native"), Style.DIRECT, FRAME)
    assert "slice" not in text.splitlines()[0]


def test_chain_of_thought_adds_the_steps():
    direct = prompt_text(sample(Task.TUMOR_LESION), Style.DIRECT, FRAME)
    steps = prompt_text(sample(Task.TUMOR_LESION), Style.COT, FRAME)
    assert "Work in steps" in steps
    assert "Work in steps" not in direct
    assert "<answer>" in steps
