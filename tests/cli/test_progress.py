from types import SimpleNamespace

from medvision.cli import progress


def test_a_log_file_gets_a_line_now_and_then(capsys, monkeypatch):
    clock = iter([0.0, 10.0, 31.0, 31.0, 50.0, 62.0, 62.0])
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    with progress.progress_bar("sft-x", "steps") as move:
        for step in range(1, 5):
            move(step, 4, "loss 0.5" if step > 2 else "")
    said = capsys.readouterr().err.splitlines()
    assert said == ["sft-x: 2 of 4 steps", "sft-x: 4 of 4 steps, loss 0.5"]
