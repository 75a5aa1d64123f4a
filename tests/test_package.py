"""What stands around the code: licence, version, citation, commit hooks, and the built wheel."""

import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
import yaml

import medvision

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_licence_is_the_unchanged_text():
    digest = hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest()
    assert digest == "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"


def test_version_stands_once_as_a_literal():
    assert "version" not in PROJECT
    assert PROJECT["dynamic"] == ["version"]
    assert PYPROJECT["tool"]["setuptools"]["dynamic"]["version"] == {
        "attr": "medvision.__version__"
    }
    tree = ast.parse(Path(medvision.__file__).read_text(encoding="utf-8"))
    values = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__"
    ]
    assert values == [medvision.__version__]


def test_citation_names_this_version_and_the_paper():
    required = {"cff-version", "message", "title", "authors", "type"}
    assert required <= set(CITATION)
    assert CITATION["title"] == "MedVision"
    assert CITATION["version"] == medvision.__version__
    assert CITATION["license"] == PROJECT["license"]
    assert CITATION["authors"] == PROJECT["authors"]
    (paper,) = CITATION["references"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    number = paper["url"].removeprefix("https://arxiv.org/abs/")
    assert f"arXiv {number}" in readme
    assert paper["title"] in " ".join(readme.split())
    assert all({"given-names", "family-names"} == set(author) for author in paper["authors"])


def test_commit_hooks_run_what_make_lint_runs():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"^lint:.*\n((?:\t.*\n)+)", makefile, flags=re.MULTILINE)
    (environment,) = re.findall(r"^VENV := (\S+)$", makefile, flags=re.MULTILINE)
    commands = [
        line.strip().replace("$(BIN)", f"{environment}/bin") for line in recipe.splitlines()
    ]
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    (repository,) = config["repos"]
    assert repository["repo"] == "local"
    assert [hook["entry"] for hook in repository["hooks"]] == commands
    for hook in repository["hooks"]:
        assert (hook["language"], hook["pass_filenames"]) == ("system", False)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The package built from a copy of its sources: building writes beside them."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    leave_out = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", folder / "src", ignore=leave_out)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", "built", "."]
    done = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", timeout=1800)
    if done.returncode:
        reason = f"{done.stdout}{done.stderr}"[-800:]
        # The build backend comes from the registry; any other failure is one of ours.
        if os.environ.get("CI") or "No matching distribution found for setuptools" not in reason:
            pytest.fail(reason)
        pytest.skip(f"needs the package registries: {reason}")
    (path,) = (folder / "built").glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def test_wheel_carries_licence_and_metadata(wheel):
    info = f"medvision-{medvision.__version__}.dist-info"
    assert wheel.read(f"{info}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    metadata = Parser().parsestr(wheel.read(f"{info}/METADATA").decode())
    assert metadata["Version"] == medvision.__version__
    assert metadata["License-Expression"] == PROJECT["license"] == "Apache-2.0"
    assert metadata["License-File"] == "LICENSE"
    assert metadata["Author"] == "The MedVision developers"
    assert metadata["Summary"] == PROJECT["description"]
    assert metadata["Keywords"].split(",") == PROJECT["keywords"]
    assert metadata.get_all("Classifier") == PROJECT["classifiers"]
    assert metadata.get_payload().startswith("# MedVision")


def test_wheel_holds_every_file_of_the_package(wheel):
    files = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src" / "medvision").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in wheel.namelist() if name.startswith("medvision/")} == files
