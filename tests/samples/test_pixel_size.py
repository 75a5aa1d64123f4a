import pytest
from hypothesis import given
from hypothesis import strategies as st

from medvision.frames import SliceGeometry
from medvision.pictures.render import slice_identity
from medvision.pictures.view import PictureFamily
from medvision.samples import sample_table, samples_from_table
from medvision.samples.pixel_size import of_pixel_size, with_pixel_size_scaled
from medvision.tasks import MetricKind, Task
from tests.builders import sample

ANGLE = sample(
    "ad", number=1, metric_kind=MetricKind.VERTEX_ANGLE, unit="deg", truth=(82.0,), name="SNA"
)
ALL = [*(sample(task) for task in Task), ANGLE]


def test_lengths_and_areas_of_the_tasks_named_are_kept():
    kept = of_pixel_size(sample_table(ALL), tuple(Task))
    assert kept["task"].to_pylist() == ["tl", "ad", "area"]
    assert kept["unit"].to_pylist() == ["mm", "mm", "mm2"]
    assert of_pixel_size(sample_table(ALL), (Task.AREA,))["task"].to_pylist() == ["area"]
    assert not of_pixel_size(sample_table(ALL), ()).num_rows


@given(factor=st.floats(0.01, 100))
def test_sizes_follow_the_pixel_size_and_all_else_stays(factor):
    scaled = samples_from_table(with_pixel_size_scaled(sample_table(ALL), factor))
    powers = {"mm": 1, "mm2": 2}
    for one, before in zip(scaled, ALL, strict=True):
        power = powers.get(before.unit, 0)
        assert one.truth == pytest.approx([value * factor**power for value in before.truth])
        assert one.geometry.spacing_x_mm == pytest.approx(before.geometry.spacing_x_mm * factor)
        assert one.geometry.spacing_y_mm == pytest.approx(before.geometry.spacing_y_mm * factor)
        assert slice_identity(one) == slice_identity(before)
        for name in ("sample_id", "box_px", "points", "unit", "min_px"):
            assert getattr(one, name) == getattr(before, name)


@given(factor=st.sampled_from([0.25, 0.5, 2.0, 4.0]), square=st.booleans())
def test_a_slice_is_shown_on_the_same_pixels(factor, square):
    stored = SliceGeometry(height_px=41, width_px=512, spacing_y_mm=5.5, spacing_x_mm=1.0)
    before = sample("tl", geometry=stored)
    (after,) = samples_from_table(with_pixel_size_scaled(sample_table([before]), factor))
    views = [
        PictureFamily(name="qwen2_5_vl", square=square).view(one.geometry)
        for one in (before, after)
    ]
    assert views[0].sent_hw == views[1].sent_hw
    assert views[1].stated.pixel_x_mm == pytest.approx(views[0].stated.pixel_x_mm * factor)
