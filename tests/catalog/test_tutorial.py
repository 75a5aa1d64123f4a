"""The example of docs/catalogue.md, run as it stands there."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs" / "catalogue.md"


def blocks(language):
    return re.findall(
        rf"^```{language}\n(.*?)^```$",
        DOCS.read_text(encoding="utf-8"),
        flags=re.DOTALL | re.MULTILINE,
    )


def test_a_new_dataset_is_one_declaration_and_one_phantom_test(tmp_path):
    (declaration,), (example,) = blocks("toml"), blocks("python")
    names = {}
    exec(compile(example, str(DOCS), "exec"), names)
    names["test_toy_livers"](declaration, tmp_path / "raw", tmp_path / "out")


@pytest.mark.parametrize("word", ['group = "Liver" }', '{case}.nii.gz"\n\n[[tasks]]'])
def test_the_example_would_notice_a_mistake(word, tmp_path):
    (declaration,), (example,) = blocks("toml"), blocks("python")
    assert word in declaration
    names = {}
    exec(compile(example, str(DOCS), "exec"), names)
    broken = declaration.replace(word, word.replace("Liver", "Livers").replace("{case}", "case"))
    with pytest.raises(AssertionError):
        names["test_toy_livers"](broken, tmp_path / "raw", tmp_path / "out")
