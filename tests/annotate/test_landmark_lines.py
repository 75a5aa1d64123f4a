"""Text files whose lines are landmarks."""

import pytest

from medvision.annotate.landmarks import (
    LandmarkFormatError,
    LandmarkSpace,
    LandmarkValueError,
    read_landmark_lines,
)


def saved(path, text):
    path.write_bytes(text.encode())
    return path


def test_the_first_lines_are_landmarks_and_later_ones_are_left(tmp_path):
    path = saved(tmp_path / "001.txt", "835,996\r\n1473, 1029\r\n1\r\n2\r\n")
    found = read_landmark_lines(path, ("P1", "P2"))
    assert found.space is LandmarkSpace.VOXEL
    assert dict(found.points) == {"P1": (835, 996), "P2": (1473, 1029)}


def test_too_few_lines_and_words_for_numbers_are_refused(tmp_path):
    with pytest.raises(LandmarkFormatError, match="each of 3 landmarks, found 2 lines"):
        read_landmark_lines(saved(tmp_path / "a.txt", "1,2\n3,4\n"), ("A", "B", "C"))
    with pytest.raises(LandmarkValueError, match="landmark 'B'"):
        read_landmark_lines(saved(tmp_path / "b.txt", "1,2\n1\n"), ("A", "B"))
