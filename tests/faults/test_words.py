"""Options, proxies and suites that cannot be meant, and names that a terminal would obey."""

import json
import shutil

import pytest

from medvision.cli import main
from medvision.cli.printable import printable
from medvision.models.evaluate import EvalRequest
from tests.faults.test_system import one_line


def error_of(words, capsys):
    """The one line that a refused command says; a parser of options tells the usage before it."""
    capsys.readouterr()
    assert main([str(word) for word in words]) == 2
    err = capsys.readouterr().err
    if err.startswith("usage:"):
        err = err[err.index("\nmedvision") :]
    return one_line(err)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--limit", "0"], "a whole number of at least 1, found '0'"),
        (["--limit", "-1"], "found '-1'"),
        (["--repeats", "0"], "a whole number of at least 1, found '0'"),
        (["--repeats", "1.5"], "found '1.5'"),
        (["--max-error-rate", "nan"], "a number of at least 0 and at most 1, found 'nan'"),
        (["--max-error-rate", "2"], "found '2'"),
        (["--time-limit", "nan"], "expected a number, found 'nan'"),
        (["--time-limit", "inf"], "expected a number, found 'inf'"),
        (["--request-timeout", "nan"], "expected a number, found 'nan'"),
        (["--requests-per-min", "nan"], "expected a number, found 'nan'"),
        (["--temperature", "nan"], "expected a number, found 'nan'"),
        (["--price-in", "inf"], "expected a number, found 'inf'"),
        (["--request-timeout", "0"], "expected a positive time"),
        (["--concurrency", "0"], "expected a concurrency of at least 1"),
    ],
)
def test_numbers_that_cannot_be(study, tmp_path, capsys, words, told):
    server = ["--base-url", "http://127.0.0.1:9/v1", "--family", "64x64"]
    asked = study.eval(tmp_path / "run", "--model", "openai/x", *server, *words)
    assert told in error_of(asked, capsys)
    assert not (tmp_path / "run").exists()


def test_no_repeat_at_all_is_refused_from_python_too():
    from medvision.errors import UsageError

    with pytest.raises(UsageError, match="at least 1 time, found repeats=0"):
        EvalRequest(samples=None, model=None, family=None, repeats=0)


@pytest.mark.parametrize(
    "address",
    ["socks9://x:1", "http://", "http://[::1", "http://me:secret@:x", "ftp://a", "http://a:99999"],
)
def test_a_proxy_that_is_none(study, tmp_path, capsys, monkeypatch, address):
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, address)
    server = ["--base-url", "http://127.0.0.1:9/v1", "--family", "64x64"]
    line = error_of(study.eval(tmp_path / "run", "--model", "openai/x", *server), capsys)
    assert "HTTP_PROXY of the environment: expected an address" in line
    assert "secret" not in line


@pytest.mark.parametrize(
    "address", ["http://", "http://[::1", "http://a b/v1", "http://x:99999/v1", "ftp://x", "x\ny"]
)
def test_an_address_that_is_none(study, tmp_path, capsys, address):
    server = ["--base-url", address, "--family", "64x64"]
    line = error_of(study.eval(tmp_path / "run", "--model", "openai/x", *server), capsys)
    assert "expected a base URL that starts with http:// or https://" in line


SUITES = {
    "not a list": b'name = "x"\nconfigs = 5\n',
    "number as name": b'name = 5\nconfigs = ["tl"]\n',
    "utf-16": 'name = "x"'.encode("utf-16"),
    "text for a list": b'name = "x"\nconfigs = [{task="tl", planes="axial"}]\n',
    "no task": b'name = "x"\nconfigs = []\n',
    "unknown task": b'name = "x"\nconfigs = ["t"]\n',
    "infinite seed": b'name = "x"\nconfigs = ["tl"]\nseed = 1e400\n',
    "half a character": b'name = "x\\ud800"\nconfigs = ["tl"]\n',
    "too many pixels": b'name = "x"\nconfigs = [{task="count", min_px=9999999999999999999}]\n',
    "nested": b"name=" + b"[" * 100_000,
    "a date": b'name = "x"\nconfigs = ["tl"]\nseed=2026-01-01\n',
    "label with zero": b'name = "x"\nconfigs = [{task="tl", labels=["a\\u0000b\\n"]}]\n',
}


@pytest.mark.parametrize("content", SUITES.values(), ids=SUITES)
def test_suites_that_cannot_be_meant(study, tmp_path, capsys, content):
    path = tmp_path / "own.toml"
    path.write_bytes(content)
    words = ["eval", "--tables", study.tables, "--suite", path, "--model", "baseline/oracle"]
    line = error_of([*words, "--run", tmp_path / "run"], capsys)
    assert any(told in line for told in (f"{path}", "no sample is left to ask", "no label "))


HOSTILE = "c\x1b[31m\x1b]0;title\x07\u202e"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", "a\\nb"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("\udcff", "\\udcff"),
        ("\x9b31m", "\\x9b31m"),
        ("Größe 3 × 2 µm, 大", "Größe 3 × 2 µm, 大"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(text, shown):
    assert printable(text) == shown


def test_a_case_with_a_hostile_name_is_told_in_one_line(study, tmp_path, capsys):
    copy = tmp_path / "inputs"
    shutil.copytree(study.inputs / "images", copy / "images")
    shutil.copytree(study.inputs / "masks", copy / "masks")
    for kind in ("images", "masks"):
        (copy / kind / "c0.nii.gz").rename(copy / kind / f"{HOSTILE}.nii.gz")
    (copy / "images" / f"{HOSTILE}.nii.gz").write_bytes(b"no image")
    (copy / "labels.json").write_text(json.dumps({"1": "liver", "2": "tumor"}))
    words = ["build", "--images", copy / "images", "--masks", copy / "masks", "--name", "x"]
    words += ["--labels", copy / "labels.json", "--modality", "CT", "--out", tmp_path / "tables"]
    capsys.readouterr()
    status = main([str(word) for word in words])
    shown = capsys.readouterr()
    assert status in (1, 2)
    assert "\\x1b[31m" in shown.err
    for text in (shown.out, shown.err):
        assert not {"\x1b", "\x07", "\u202e"} & set(text)
