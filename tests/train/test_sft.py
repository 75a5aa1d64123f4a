"""Whole training runs on CPU with tiny models. Needs the extra `train`."""

import dataclasses
import json
import signal
import subprocess
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

import pyarrow.parquet as pq
from safetensors.torch import load_file

from medvision.analysis.read_run import read_runs, row_pictures
from medvision.analysis.report import write_report
from medvision.cli import main
from medvision.models.evaluate import EvalRequest, evaluate
from medvision.models.generation import Generation
from medvision.models.in_process.generate import LoadedModel
from medvision.models.profiles import profile_for
from medvision.samples import sample_table
from medvision.samples.select import select_samples, table_folders
from medvision.samples.suite import Suite, TaskConfig
from medvision.scoring.score_run import score_run
from medvision.storage import only_process
from medvision.train import sft as sft_module
from medvision.train.base_model import load_chat, load_model
from medvision.train.collate import ExampleTransform
from medvision.train.config import (
    AdapterConfig,
    LossConfig,
    ModelConfig,
    NumberLossKind,
    OptimiserConfig,
    Precision,
    RunConfig,
    Tuning,
    ValidationConfig,
)
from medvision.train.errors import MergeError, NotFiniteError, OtherRunError, SequenceTooLongError
from medvision.train.examples import picture_family
from medvision.train.merge import merge_adapter
from medvision.train.sft import train_sft
from medvision.train.trainer import last_whole_checkpoint, remove_broken_checkpoints
from medvision.train.validation import ModelInTraining, flat_metrics
from tests.train.conftest import (
    FAMILIES,
    QWEN_LIMITS,
    TASKS,
    environment,
    interrupt,
    losses,
    train_command,
)

pytestmark = pytest.mark.train


LEARNING_RATE, N_STEPS = 5e-3, 400
"""Enough for every reply to be readable, whatever the processor rounds like: 3 seeds of 3."""


def asked(base, config, run, samples):
    """Scores of a merged or base model on unseen samples."""
    model_config = dataclasses.replace(config.model, base=str(base))
    loaded = LoadedModel(model=load_model(model_config).eval(), chat=load_chat(model_config))
    generation = Generation(max_tokens=40)
    model = ModelInTraining(loaded=loaded, model_id=run.name, generation=generation, batch_size=16)
    request = EvalRequest(
        samples=sample_table(samples), model=model, family=picture_family(config.model)
    )
    evaluate(request, run)
    return flat_metrics(score_run(run))


def test_a_model_learns_through_adapter_and_merge_to_answer_on_unseen_subjects(
    tiny_base, sft_config, toml_file, study_tables, tmp_path, capsys
):
    base = tiny_base("qwen")
    config = sft_config(
        base,
        optimiser=OptimiserConfig(
            learning_rate=LEARNING_RATE,
            max_steps=N_STEPS,
            batch_size=8,
            accumulation=1,
            max_grad_norm=1.0,
        ),
        validation=ValidationConfig(
            subject_frac=0.2, samples=12, every_steps=N_STEPS // 2, max_new_tokens=40
        ),
        run=RunConfig(
            gradient_checkpointing=False,
            workers=1,
            log_every_steps=10,
            log_to=("tensorboard",),
        ),
    )
    assert main(["train", "sft", str(toml_file(config))]) == 0
    out = Path(config.output)
    loss = losses(out)
    assert loss[N_STEPS] < 0.5 * loss[10]
    adapter = json.loads((out / "model" / "adapter_config.json").read_text(encoding="utf-8"))
    assert (adapter["r"], adapter["lora_alpha"], adapter["lora_dropout"]) == (16, 16, 0.05)
    assert list((out / "checkpoints").glob("**/events.out.tfevents*"))
    card = (out / "model" / "README.md").read_text(encoding="utf-8")
    for words in ("Not for clinical use", str(base), "study 1", "| validation_score |"):
        assert words in card
    merged = tmp_path / "merged"
    assert main(["train", "merge", str(out / "model"), "--out", str(merged)]) == 0
    for folder in (out / "model", merged):
        carried = profile_for(str(folder))
        assert (carried.family, dict(carried.limits)) == ("qwen2_5_vl", QWEN_LIMITS)
    suite = Suite(name="s", configs=tuple(TaskConfig(task=task) for task in TASKS))
    unseen = select_samples(suite, table_folders([study_tables]), split="test", limit=48).samples
    before = asked(base, config, tmp_path / "before", unseen)
    after = asked(merged, config, tmp_path / "after", unseen)
    assert before["detection_success_rate"] < 0.5
    assert after["detection_success_rate"] == after["tl_success_rate"] == 1.0
    assert after["detection_iou_mean_zero_filled"] > 0.2
    words = ["eval", "--tables", study_tables, "--task", "tl", "--model", f"hf/{merged}"]
    words += ["--limit", 12, "--batch-size", 6, "--run", tmp_path / "by-command"]
    assert main([str(word) for word in words]) == 0
    by_command = pq.read_table(tmp_path / "by-command" / "scores.parquet", partitioning=None)
    assert by_command["status"].to_pylist() == ["ok"] * 12
    runs = read_runs([tmp_path / "before", tmp_path / "after"])
    page = write_report(runs, tmp_path / "report.html", picture=row_pictures())
    assert "after" in page.read_text(encoding="utf-8")
    capsys.readouterr()
    assert main(["train", "sft", str(tmp_path / "config.toml")]) == 0
    assert "already trained" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["qwen3", "llava", "gemma3", "internvl"])
def test_other_families_train_and_merge(tiny_base, sft_config, tmp_path, kind):
    config = sft_config(
        tiny_base(kind),
        kind,
        optimiser=OptimiserConfig(learning_rate=5e-3, max_steps=12, batch_size=4, accumulation=1),
        validation=ValidationConfig(subject_frac=0.2, samples=4, every_steps=6, max_new_tokens=8),
    )
    result = train_sft(config)
    loss = losses(config.output)
    assert loss[12] < loss[1] - 0.5
    assert sorted(result.scores) == [0, 6, 12]
    merged = merge_adapter(result.model, tmp_path / "merged")
    assert merged.max_difference < 1e-4
    assert merged.same_top_token_frac == 1.0


@pytest.fixture
def full_config(tiny_base, sft_config):
    """A run that trains all weights of Qwen2.5-VL, whose stored names are not those in memory."""
    config = sft_config(tiny_base("qwen"))
    model = dataclasses.replace(config.model, tuning=Tuning.FULL)
    return dataclasses.replace(config, model=model)


def test_all_weights_can_be_trained(full_config):
    result = train_sft(full_config)
    before = load_model(full_config.model).state_dict()
    after = load_model(ModelConfig(base=str(result.model))).state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert any("visual" in name for name in changed)
    assert any("language_model" in name for name in changed)


@pytest.mark.parametrize(
    ("kind", "tuning"), [*((kind, Tuning.LORA) for kind in FAMILIES), ("qwen", Tuning.FULL)]
)
def test_trained_weights_are_held_in_fp32_while_bf16_computes(tiny_base, sft_config, kind, tuning):
    """As on GPUs. Steps of this learning rate are smaller than bf16 can tell from the weights."""
    config = sft_config(
        tiny_base(kind),
        kind,
        optimiser=OptimiserConfig(learning_rate=1e-6, max_steps=4, batch_size=2, accumulation=2),
        run=RunConfig(gradient_checkpointing=True, workers=0, log_to=()),
    )
    model = dataclasses.replace(config.model, tuning=tuning, precision=Precision.BF16)
    result = train_sft(dataclasses.replace(config, model=model))
    (stored,) = result.model.glob("*model.safetensors")
    after = load_file(stored)
    assert {weight.dtype for weight in after.values()} == {torch.float32}
    before = load_file(Path(model.base) / "model.safetensors")
    name = "embed_tokens.weight"
    (old,), (new,) = ([w for n, w in ws.items() if n.endswith(name)] for ws in (before, after))
    moved = (new - old.bfloat16().float()).abs()
    assert (moved > 1e-7).float().mean() > 0.2  # those of the tokens seen
    assert moved.max() < 1e-5


def test_of_all_weights_the_best_ones_are_kept_too(full_config, monkeypatch):
    scores = iter([0.0, 0.9, 0.1])
    monkeypatch.setattr(
        sft_module.SampleTrainer, "_measured", lambda self: {"validation_score": next(scores)}
    )
    train_sft(full_config)
    out = Path(full_config.output)
    stored = [
        (out / folder / "model.safetensors").read_bytes()
        for folder in ("model", "checkpoints/checkpoint-2", "checkpoints/checkpoint-4")
    ]
    assert stored[0] == stored[1] != stored[2]


def test_a_run_killed_without_warning_goes_on_to_the_same_trajectory(
    tiny_base, sft_config, toml_file, tmp_path
):
    def config(name):
        return sft_config(
            tiny_base("qwen"),
            output=str(tmp_path / name),
            optimiser=OptimiserConfig(
                learning_rate=5e-3, max_steps=16, batch_size=4, accumulation=1
            ),
            validation=ValidationConfig(
                subject_frac=0.2, samples=2, every_steps=4, max_new_tokens=4
            ),
        )

    whole = config("whole")
    train_sft(whole)
    killed = config("killed")
    path = toml_file(killed, "killed.toml")
    command = train_command(path, module="tests.train.killed_in_step_7")
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
    assert (Path(killed.output) / "checkpoints" / "checkpoint-4" / "manifest.json").exists()
    assert not (Path(killed.output) / "manifest.json").exists()
    torn = Path(killed.output) / "checkpoints" / "checkpoint-12"
    torn.mkdir()
    (torn / "adapter_model.safetensors").write_bytes(b"half of it")
    command = train_command(path)
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    expected, found = losses(whole.output), losses(killed.output)
    assert sorted(found) == list(range(1, 17))
    assert found == pytest.approx(expected, abs=1e-5)


@pytest.fixture
def finished(tiny_base, sft_config):
    """A run of 6 steps to its end, of which no whole epoch is done."""
    config = sft_config(
        tiny_base("qwen"),
        optimiser=OptimiserConfig(learning_rate=5e-3, max_steps=6, batch_size=2, accumulation=1),
        validation=ValidationConfig(subject_frac=0.2, samples=2, every_steps=2, max_new_tokens=4),
    )
    train_sft(config)
    return config


def weights(config):
    return load_file(Path(config.output) / "model" / "adapter_model.safetensors")


def test_a_finished_run_that_lost_its_manifest_takes_no_further_step(finished):
    out, before = Path(finished.output), weights(finished)
    trained = json.loads((out / "manifest.json").read_text("utf-8"))
    (out / "manifest.json").unlink()
    result = train_sft(finished)
    assert result.counts["steps"] == 6
    assert not result.up_to_date
    again = json.loads((out / "manifest.json").read_text("utf-8"))
    assert (again["counts"], again["scores"]) == (trained["counts"], trained["scores"])
    after = weights(finished)
    assert all(torch.equal(before[name], after[name]) for name in before)


DAMAGES = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "empty": lambda path: path.write_bytes(b""),
    "list": lambda path: path.write_bytes(b"[]"),
    "lost": lambda path: path.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(
    "name", ["manifest.json", "trainer_state.json", "optimizer.pt", "adapter_model.safetensors"]
)
def test_a_damaged_checkpoint_is_not_gone_on_from(finished, name, damage):
    checkpoints = Path(finished.output) / "checkpoints"
    last = last_whole_checkpoint(checkpoints)
    assert last.name == "checkpoint-6"
    DAMAGES[damage](last / name)
    assert last_whole_checkpoint(checkpoints).name != "checkpoint-6"
    remove_broken_checkpoints(checkpoints)
    assert not last.exists()


@pytest.mark.parametrize("damage", ["cut", "empty", "list"])
@pytest.mark.parametrize("name", ["manifest.json", "config.json"])
def test_a_damaged_record_of_a_run_is_one_line(finished, toml_file, capsys, name, damage):
    path = Path(finished.output) / name
    DAMAGES[damage](path)
    capsys.readouterr()
    assert main(["train", "sft", str(toml_file(finished))]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert f"{path}: damaged: " in line
    assert "remove" in line


def test_a_training_says_nothing_on_its_own_account(tiny_base, sft_config, toml_file):
    done = subprocess.run(
        train_command(toml_file(sft_config(tiny_base("qwen")))),
        env=environment(),
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    # Checkpoints of so small a model come so fast that a disk's clock may not tell them apart.
    said = [line for line in done.stderr.splitlines() if "mtime may not be reliable" not in line]
    assert said == []
    assert "validation at step 4" in done.stdout


def test_a_second_training_in_one_folder_is_told(finished, toml_file):
    with only_process(Path(finished.output), "testing"):
        command = train_command(toml_file(finished))
        done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert done.returncode == 2
    assert "another process is training here" in done.stderr


@pytest.mark.parametrize(
    ("kind", "tuning"),
    [*((kind, Tuning.LORA) for kind in FAMILIES if kind != "qwen"), ("qwen", Tuning.FULL)],
)
def test_an_interrupted_run_of_any_family_goes_on_to_the_same_losses(
    tiny_base, sft_config, kind, tuning
):
    config = sft_config(tiny_base(kind), kind)
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, tuning=tuning))
    train_sft(config)
    expected = losses(config.output)
    interrupt(config.output, step=4)
    train_sft(config)
    assert losses(config.output) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("kind", FAMILIES)
def test_checkpoints_are_kept_by_metric(tiny_base, sft_config, monkeypatch, kind):
    scores = iter([0.0, 0.9, 0.1, 0.2, 0.3])
    monkeypatch.setattr(
        sft_module.SampleTrainer, "_measured", lambda self: {"validation_score": next(scores)}
    )
    config = sft_config(
        tiny_base(kind),
        kind,
        optimiser=OptimiserConfig(learning_rate=5e-3, max_steps=8, batch_size=2, accumulation=1),
    )
    train_sft(config)
    out = Path(config.output)
    kept = {path.name for path in (out / "checkpoints").glob("checkpoint-*")}
    assert kept == {"checkpoint-2", "checkpoint-8"}
    assert json.loads((out / "manifest.json").read_text(encoding="utf-8"))["best_step"] == 2
    weights = [
        (out / folder / "adapter_model.safetensors").read_bytes()
        for folder in ("model", "checkpoints/checkpoint-2", "checkpoints/checkpoint-8")
    ]
    assert weights[0] == weights[1] != weights[2]


def test_accumulated_batches_take_the_same_steps_as_one_large_batch(
    tiny_base, sft_config, tmp_path
):
    """Boxes and axes have unequal numbers of tokens, so a mean of means would differ."""
    found = []
    for batch_size, accumulation in ((8, 1), (2, 4)):
        config = sft_config(
            tiny_base("qwen"),
            output=str(tmp_path / f"{batch_size}x{accumulation}"),
            adapter=AdapterConfig(dropout=0.0),
            optimiser=OptimiserConfig(
                learning_rate=5e-3,
                max_steps=4,
                batch_size=batch_size,
                accumulation=accumulation,
            ),
            validation=ValidationConfig(subject_frac=0.0, every_steps=4),
        )
        train_sft(config)
        found.append(losses(config.output))
    assert found[1] == pytest.approx(found[0], abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("numbers", [NumberLossKind.PLAIN, NumberLossKind.WASSERSTEIN])
def test_two_processes_take_the_same_steps_as_one(
    tiny_base, sft_config, toml_file, tmp_path, numbers
):
    runs = {}
    for name, batch_size, launcher in (
        ("one", 8, ()),
        ("two", 4, ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")),
    ):
        config = sft_config(
            tiny_base("qwen"),
            output=str(tmp_path / name),
            adapter=AdapterConfig(dropout=0.0),
            loss=LossConfig(numbers=numbers),
            optimiser=OptimiserConfig(
                learning_rate=5e-3, max_steps=6, batch_size=batch_size, accumulation=1
            ),
            validation=ValidationConfig(
                subject_frac=0.2, samples=4, every_steps=3, max_new_tokens=4
            ),
        )
        command = train_command(toml_file(config, f"{name}.toml"), *launcher)
        done = subprocess.run(
            command, env=environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        runs[name] = config.output
    expected = losses(runs["one"])
    assert len(expected) == 6
    assert losses(runs["two"]) == pytest.approx(expected, abs=1e-4)
    parts = [
        pq.read_table(Path(runs["two"]) / "validation" / "step-6" / part / "scores.parquet")
        for part in ("part-0", "part-1")
    ]
    assert [part.num_rows for part in parts] == [2, 2]


def test_a_loss_that_is_not_a_number_stops_the_run_and_names_the_batch(
    tiny_base, sft_config, monkeypatch
):
    config = sft_config(tiny_base("qwen"))
    made = sft_module.SampleTrainer.training_step

    def poisoned(self, model, inputs, *args, **kwargs):
        if self.state.global_step == 2:
            inputs["pixel_values"] = inputs["pixel_values"] * float("nan")
        return made(self, model, inputs, *args, **kwargs)

    monkeypatch.setattr(sft_module.SampleTrainer, "training_step", poisoned)
    with pytest.raises(
        NotFiniteError, match=r"step 3: expected a finite loss, found nan"
    ) as caught:
        train_sft(config)
    message = str(caught.value)
    assert message.count("study%201//") == 4
    assert "checkpoint-2" in message
    out = Path(config.output)
    assert {path.name for path in (out / "checkpoints").glob("checkpoint-*")} == {"checkpoint-2"}
    assert not (out / "manifest.json").exists()
    monkeypatch.undo()
    assert sorted(losses(train_sft(config).model.parent)) == [1, 2, 3, 4]


def test_a_gradient_that_is_not_a_number_never_reaches_the_weights(
    tiny_base, sft_config, monkeypatch
):
    config = sft_config(tiny_base("qwen"))
    seen = {}
    clip = sft_module.SampleTrainer.__mro__[1]._clip_grad_norm

    def poisoned(self, model):
        trained = next(p for p in model.parameters() if p.grad is not None)
        seen["weight"], seen["before"] = trained, trained.detach().clone()
        trained.grad[...] = float("nan")
        return clip(self, model)

    monkeypatch.setattr(sft_module.SampleTrainer.__mro__[1], "_clip_grad_norm", poisoned)
    with pytest.raises(NotFiniteError, match="step 1: expected a finite gradient norm"):
        train_sft(config)
    assert torch.equal(seen["weight"], seen["before"])


def test_the_output_of_another_configuration_is_refused(tiny_base, sft_config):
    config = sft_config(tiny_base("qwen"))
    Path(config.output).mkdir()
    (Path(config.output) / "config.json").write_text("{}")
    with pytest.raises(OtherRunError, match="another configuration"):
        train_sft(config)


def test_too_long_a_sequence_is_refused_before_training(tiny_base, sft_config):
    config = sft_config(tiny_base("qwen"), run=RunConfig(max_length=64, log_to=()))
    with pytest.raises(SequenceTooLongError, match="expected at most 64 tokens"):
        train_sft(config)
    assert not list(Path(config.output).iterdir())  # nothing is claimed by a start that was refused


def test_only_an_adapter_is_merged_and_only_into_a_new_folder(tmp_path):
    with pytest.raises(MergeError, match="adapter_config"):
        merge_adapter(tmp_path, tmp_path / "out")
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(MergeError, match="new or empty folder"):
        merge_adapter(tmp_path, tmp_path)


def test_an_example_is_rendered_only_when_its_turn_comes(tiny_base, sft_config, monkeypatch):
    rendered = []
    example = ExampleTransform.example

    def counted(self, row):
        rendered.append(row)
        return example(self, row)

    monkeypatch.setattr(ExampleTransform, "example", counted)
    config = sft_config(
        tiny_base("qwen"), validation=ValidationConfig(subject_frac=0.0, every_steps=4)
    )
    train_sft(config)
    # one to see what the data are, those of four steps, and one batch fetched ahead
    assert len(rendered) == 1 + 4 * 4 + 4
