"""The in-process adapter against the `transformers` and `peft` libraries themselves."""

import json
import shutil
import sys

import pytest

from medvision.models import Generation, ResponseStatus
from medvision.models.hf import HfModel, HfSettings
from medvision.models.in_process.generate import LoadedModel
from medvision.models.in_process.weights import ModelFolderError, WeightSettings
from medvision.models.run_folder import store_path
from medvision.models.store import ResponseStore
from tests.peers.conftest import FAMILY

pytestmark = pytest.mark.peers

MAX_TOKENS = "40"


def stored(run):
    with ResponseStore(store_path(run)) as store:
        return {one.sample_id: one for one in store.current_replies()}


def texts(run):
    return {sample_id: one.reply.text for sample_id, one in stored(run).items()}


@pytest.fixture(scope="module")
def base_run(tiny_model, ask, tmp_path_factory):
    run = tmp_path_factory.mktemp("base") / "run"
    assert ask(run, "tl", f"hf/{tiny_model}", "--max-tokens", MAX_TOKENS) == 0
    return run


@pytest.fixture(scope="module")
def adapter(tiny_model, tmp_path_factory):
    """A LoRA adapter whose weights are random, not the usual zeros: it changes answers."""
    torch = pytest.importorskip("torch")
    import peft
    from transformers import AutoModelForImageTextToText

    torch.manual_seed(3)
    model = AutoModelForImageTextToText.from_pretrained(tiny_model, dtype=torch.float32)
    config = peft.LoraConfig(
        r=4,
        lora_alpha=16,
        init_lora_weights=False,
        target_modules=r".*language_model.*\.(q|v)_proj",
    )
    folder = tmp_path_factory.mktemp("adapter")
    peft.get_peft_model(model, config).save_pretrained(folder)
    return folder


def test_answers_do_not_depend_on_the_batch(base_run, tiny_model, ask, tmp_path):
    model = f"hf/{tiny_model}"
    assert ask(tmp_path / "one", "tl", model, "--max-tokens", MAX_TOKENS, "--batch-size", "1") == 0
    assert texts(tmp_path / "one") == texts(base_run)


def test_adapter_folder_answers_as_the_merged_model(base_run, adapter, tiny_model, ask, tmp_path):
    import peft
    from transformers import AutoModelForImageTextToText, AutoProcessor

    words = ["--max-tokens", MAX_TOKENS]
    assert ask(tmp_path / "alone", "tl", f"hf/{adapter}", *words) == 0
    beside = [*words, "--adapter", adapter]
    assert ask(tmp_path / "beside", "tl", f"hf/{tiny_model}", *beside) == 0
    merged = tmp_path / "merged"
    model = AutoModelForImageTextToText.from_pretrained(tiny_model)
    peft.PeftModel.from_pretrained(model, adapter).merge_and_unload().save_pretrained(merged)
    AutoProcessor.from_pretrained(tiny_model).save_pretrained(merged)
    assert ask(tmp_path / "run", "tl", f"hf/{merged}", *words) == 0
    assert texts(tmp_path / "alone") == texts(tmp_path / "beside") == texts(tmp_path / "run")
    assert texts(tmp_path / "alone") != texts(base_run)
    keys = [
        {one.key for one in stored(run).values()}
        for run in (base_run, tmp_path / "alone", tmp_path / "beside")
    ]
    assert len(set.union(*keys)) == 30
    revision = json.loads((tmp_path / "alone" / "manifest.json").read_text(encoding="utf-8"))[
        "revision"
    ]
    assert " adapter sha256:" in revision
    assert revision.endswith(" float32")


def test_second_run_reads_no_weights(base_run, tiny_model, ask, tmp_path, monkeypatch):
    copy = tmp_path / "run"
    shutil.copytree(base_run, copy)

    def load(*_):
        msg = "weights were read"
        raise AssertionError(msg)

    monkeypatch.setattr("medvision.models.hf.load_weights", load)
    assert ask(copy, "tl", f"hf/{tiny_model}", "--max-tokens", MAX_TOKENS) == 0
    assert texts(copy) == texts(base_run)


def test_other_weights_under_the_same_name_are_asked_anew(tiny_model, adapter, ask, tmp_path):
    from safetensors.torch import load_file, save_file

    copy, run = tmp_path / "model", tmp_path / "run"
    shutil.copytree(tiny_model, copy)
    words = ["--max-tokens", "4"]
    ask(run, "tl", f"hf/{copy}", *words)
    before = {one.key for one in stored(run).values()}
    (copy / "trainer_state.json").write_text("{}")
    ask(run, "tl", f"hf/{copy}", *words)
    assert {one.key for one in stored(run).values()} == before
    weights = load_file(copy / "model.safetensors")
    name = next(name for name in weights if name.endswith("q_proj.weight"))
    weights[name][0, 0] += 1
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    ask(run, "tl", f"hf/{copy}", *words)
    assert {one.key for one in stored(run).values()}.isdisjoint(before)


def test_sampling_with_a_seed_is_repeatable_whatever_else_is_asked(tiny_model, ask, tmp_path):
    words = ["--max-tokens", "12", "--temperature", "1.5"]
    for name, seed, repeats in (("a", "7", "2"), ("b", "8", "1"), ("c", "7", "1")):
        options = [*words, "--seed", seed, "--repeats", repeats]
        assert ask(tmp_path / name, "tl", f"hf/{tiny_model}", *options) == 0
    by_run = {}
    for name in "abc":
        with ResponseStore(store_path(tmp_path / name)) as store:
            by_run[name] = {(s.sample_id, s.repeat): s.reply.text for s in store.current_replies()}
    first = {key: text for key, text in by_run["a"].items() if key[1] == 0}
    assert first == by_run["c"]
    # the second repeat has the seed after the first's
    second = {(key[0], 0): text for key, text in by_run["a"].items() if key[1] == 1}
    assert second == by_run["b"]
    assert first != second


@pytest.fixture
def one_question(lessons, base_run):
    """A question of the study, built from what was asked."""
    import io

    from medvision.models import Question
    from medvision.models.run_folder import read_samples
    from medvision.replies import Style
    from medvision.samples import samples_from_table

    sample = samples_from_table(read_samples(base_run))[0]
    prompt = stored(base_run)[sample.sample_id].prompt
    picture = next(picture for words, picture, _ in lessons if words == prompt)
    stream = io.BytesIO()
    picture.save(stream, format="PNG")

    def make(**changes):
        fields = {
            "sample": sample,
            "prompt_text": prompt,
            "image_png": stream.getvalue,
            "pixel_sha256": "0" * 64,
            "pixel_shape": (picture.height, picture.width),
            "style": Style.DIRECT,
        }
        return Question(**{**fields, **changes})

    return make


def hf_model(folder, **generation):
    weights = WeightSettings(name=str(folder))
    settings = HfSettings(weights=weights, generation=Generation(**generation))
    return HfModel(settings)


def test_length_stop_and_stop_strings(tiny_model, one_question):
    (whole,) = hf_model(tiny_model, max_tokens=200).replies([one_question()])
    (cut,) = hf_model(tiny_model, max_tokens=3).replies([one_question()])
    assert cut.status is ResponseStatus.TRUNCATED
    assert (cut.finish_reason, cut.completion_tokens) == ("length", 3)
    assert whole.text.startswith(cut.text)
    assert "." in whole.text
    (stopped,) = hf_model(tiny_model, max_tokens=200, stop=(".",)).replies([one_question()])
    assert stopped.text == whole.text.split(".")[0]
    assert (stopped.status, stopped.finish_reason) == (ResponseStatus.OK, "stop")


def test_token_counts_and_text_are_those_of_a_bare_call(tiny_model, one_question):
    """The prompt is built here by hand from the template, and generated with the library alone."""
    import io

    import torch
    from PIL import Image
    from transformers import AutoModelForImageTextToText, AutoProcessor

    question = one_question()
    (reply,) = hf_model(tiny_model, max_tokens=30).replies([question])
    model = AutoModelForImageTextToText.from_pretrained(tiny_model, dtype=torch.float32)
    processor = AutoProcessor.from_pretrained(tiny_model)
    inputs = processor(
        images=Image.open(io.BytesIO(question.image_png())),
        text=f"USER: <image>\n{question.prompt_text} ASSISTANT:",
        return_tensors="pt",
    )
    tokens = model.generate(**inputs, do_sample=False, max_new_tokens=30)[0]
    n_prompt = inputs["input_ids"].shape[1]
    assert reply.text == processor.decode(tokens[n_prompt:], skip_special_tokens=True)
    assert (reply.prompt_tokens, reply.completion_tokens) == (n_prompt, len(tokens) - n_prompt)


def test_picture_that_cannot_be_made_is_one_error(tiny_model, one_question):
    def broken():
        msg = "no such file"
        raise OSError(msg)

    model = hf_model(tiny_model, max_tokens=5)
    first, second, third = model.replies(
        [one_question(), one_question(image_png=broken), one_question()]
    )
    assert (second.status, second.error_kind) == ("error", "image")
    assert first.text == third.text != ""


def test_out_of_memory_halves_the_batch_and_names_what_does_not_fit(
    tiny_model, one_question, monkeypatch
):
    import torch

    model = hf_model(tiny_model, max_tokens=5)
    batch = LoadedModel.replies
    sizes = []

    def limited(self, questions, *settings):
        sizes.append(len(questions))
        if len(questions) > 2 or any(question.repeat == 9 for question in questions):
            raise torch.OutOfMemoryError
        return batch(self, questions, *settings)

    monkeypatch.setattr(LoadedModel, "replies", limited)
    asked = [one_question(repeat=9 if number == 3 else 0) for number in range(5)]
    replies = model.replies(asked)
    assert [reply.is_answer for reply in replies] == [True, True, True, False, True]
    assert replies[3].error_kind == "out_of_memory"
    assert sizes[:2] == [5, 2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extra_body": {"no_such": 1}}, "expected fields of GenerationConfig"),
        ({"extra_body": {"repetition_penalty": 1.3}}, None),
        ({"extra_body": {"chat_template_kwargs": {"enable_thinking": False}}}, None),
    ],
)
def test_extra_fields_are_those_of_the_library(change, message, tiny_model, ask, tmp_path, capsys):
    words = ["--extra-body", json.dumps(change["extra_body"]), "--max-tokens", "4"]
    status = ask(tmp_path / "run", "tl", f"hf/{tiny_model}", *words)
    assert status == (2 if message else 0)
    assert (message or "") in capsys.readouterr().err


def test_code_beside_the_weights_does_not_run_unasked(tiny_model, ask, tmp_path, capsys):
    folder, mark = tmp_path / "model", tmp_path / "mark"
    shutil.copytree(tiny_model, folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.OwnConfig"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"open({str(mark)!r}, 'w').close()\nclass OwnConfig: pass\n")
    assert ask(tmp_path / "run", "tl", f"hf/{folder}") == 2
    assert "cannot be loaded" in capsys.readouterr().err
    assert not mark.exists()


def test_four_bits_without_their_library_is_an_error_that_names_the_extra(
    tiny_model, ask, tmp_path, capsys, monkeypatch
):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    assert ask(tmp_path / "run", "tl", f"hf/{tiny_model}", "--load-4bit") == 2
    assert "pip install 'medvision[qlora]'" in capsys.readouterr().err


def test_weights_in_four_bits_are_asked_on_any_cpu(tiny_model, ask, tmp_path):
    assert ask(tmp_path / "run", "tl", f"hf/{tiny_model}", "--load-4bit") == 0


def test_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ModelFolderError, match=r"expected config\.json in it"):
        hf_model(tmp_path)
    with pytest.raises(ModelFolderError, match="expected a folder or a hub id"):
        hf_model(tmp_path / "nothing")
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelFolderError, match=r"expected adapter_config\.json to name its model"):
        hf_model(tmp_path)


def test_a_family_whose_video_part_needs_more_answers_about_pictures(ask, tmp_path, capsys):
    """Qwen2.5-VL's own processor needs torchvision, which no extra of ours brings."""
    from examples.from_scratch.tiny_models import qwen

    folder = qwen(["Measure the box, 0.1234 mm."], tmp_path / "qwen")
    words = ["--max-tokens", "8"]
    assert ask(tmp_path / "other", "tl", f"hf/{folder}", *words) == 2
    said = capsys.readouterr().err
    assert f"family '{FAMILY}' says that the model sees {FAMILY.replace('x', '×')} px" in said
    pixels = "limits = { min_pixels = 3136, max_pixels = 3136 }"
    (tmp_path / "own.toml").write_text(
        f'[[model]]\nids = ["qwen"]\nfamily = "qwen2_5_vl"\n{pixels}'
    )
    words += ["--profiles", tmp_path / "own.toml", "--family", "qwen2_5_vl"]
    assert ask(tmp_path / "run", "tl", f"hf/{folder}", *words) == 0
    replies = list(stored(tmp_path / "run").values())
    assert len(replies) == 10
    assert all(one.reply.is_answer for one in replies)
