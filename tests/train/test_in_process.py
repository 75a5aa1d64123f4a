"""Evaluation and training ask a model the same, load it alike, and get the same replies."""

import dataclasses
import json
import shutil

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

import transformers
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.processors import TemplateProcessing

from medvision.models import Generation, ResponseStore
from medvision.models.evaluate import EvalRequest, evaluate
from medvision.models.hf import HfModel, HfSettings
from medvision.models.in_process import weights
from medvision.models.in_process.generate import LoadedModel
from medvision.models.in_process.weights import WeightSettings, load_weights, located
from medvision.models.profiles import profile_for
from medvision.models.run_folder import read_samples, store_path
from medvision.replies import Style
from medvision.samples import sample_table, samples_from_table
from medvision.train.base_model import load_chat, load_model, weight_settings
from medvision.train.collate import IGNORED, Collator, ExampleTransform
from medvision.train.config import (
    ModelConfig,
    OptimiserConfig,
    Precision,
    Tuning,
    ValidationConfig,
)
from medvision.train.errors import BaseModelError
from medvision.train.examples import Examples, picture_family, trained_profile
from medvision.train.sft import train_sft
from medvision.train.validation import Shard, Validator
from tests.train.conftest import FAMILIES, model_config

pytestmark = pytest.mark.train

SYSTEM_TEXT = "You measure. Be brief."
SAME_PRECISION = {
    Precision.AUTO: weights.Precision.AUTO,
    Precision.BF16: weights.Precision.BFLOAT16,
    Precision.FP32: weights.Precision.FLOAT32,
}
N_VALIDATED = 12
BATCH = {Precision.FP32: 8, Precision.BF16: 1}
"""In bf16 the neighbours in a batch move a token that nearly ties."""

STARTS, CLOSES, STARTS_AND_CLOSES = ("<s> $A", "$A </s>", "<s> $A </s>")


class Recorder:
    """Stands for the weights: keeps what it is asked to generate from, and writes nothing."""

    device, dtype = torch.device("cpu"), torch.float32

    def __init__(self, end_token):
        self.generation_config = transformers.GenerationConfig(eos_token_id=end_token)
        self.asked = []

    def eval(self):
        return self

    def generate(self, **arguments):
        self.asked.append(arguments)
        end = torch.full((len(arguments["input_ids"]), 1), self.generation_config.eos_token_id)
        return torch.cat([arguments["input_ids"], end], dim=1)


def prompts_and_pictures(batches):
    """Token ids of the prompt and pixels, of batches of one, in no order."""
    return sorted(
        (batch["input_ids"][0].tolist(), batch["pixel_values"].numpy().tobytes())
        for batch in batches
    )


@pytest.fixture
def asked(study_samples, tmp_path, monkeypatch):
    """What evaluation, validation and training put before a model, for the same samples."""
    samples = [*study_samples[:2], *study_samples[-2:]]

    def ask(config, style, system_text):
        family, chat = picture_family(config), load_chat(config)
        end = chat.processor.tokenizer.eos_token_id
        evaluated, validated = Recorder(end), Recorder(end)
        monkeypatch.setattr("medvision.models.hf.load_weights", lambda *_: evaluated)
        model = HfModel(
            HfSettings(
                weights=WeightSettings(name=config.base),
                generation=Generation(max_tokens=7),
                batch_size=1,
            )
        )
        words = {"style": style, "family": family, "system_text": system_text}
        request = EvalRequest(samples=sample_table(samples), model=model, **words)
        evaluate(request, tmp_path / "evaluation")
        validator = Validator(samples=samples, chat=chat, max_new_tokens=7, batch_size=1, **words)
        validator.ask(validated, tmp_path / "validation", model_id="m", shard=Shard())
        examples = Examples(
            sample_table(samples), style, family, n_volumes=2, system_text=system_text
        )
        transform, collate = ExampleTransform(examples, chat), Collator(chat, 4096)
        trained = [collate([transform.example(row)]) for row in range(len(samples))]
        for batch in trained:
            n_reply = int((batch["labels"] != IGNORED).sum())
            batch["input_ids"] = batch["input_ids"][:, :-n_reply]
        return evaluated.asked, validated.asked, trained

    return ask


def stored(run):
    with ResponseStore(store_path(run)) as store:
        return {one.sample_id: one for one in store.current_replies()}


@pytest.mark.parametrize("system_text", ["", SYSTEM_TEXT])
@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize("kind", FAMILIES)
def test_one_sample_is_the_same_prompt_and_picture_everywhere(
    asked, tiny_base, kind, style, system_text
):
    config = model_config(kind, tiny_base(kind))
    evaluated, validated, trained = asked(config, style, system_text)
    expected = prompts_and_pictures(evaluated)
    assert len({pixels for _, pixels in expected}) == 4
    assert prompts_and_pictures(validated) == prompts_and_pictures(trained) == expected
    settings = [
        {name: value for name, value in arguments.items() if not torch.is_tensor(value)}
        for arguments in (*evaluated, *validated)
    ]
    assert settings[0] == {
        "max_new_tokens": 7,
        **{"do_sample": False, "temperature": None, "top_p": None, "top_k": None},
        "eos_token_id": settings[0]["eos_token_id"],
        "pad_token_id": 0,
    }
    assert all(one == settings[0] for one in settings)


def with_other_ends(base, folder, form):
    """The base with a tokenizer of the Llama kind, which puts tokens around every text.

    It marks the beginning of a word, and of a text its first word only where it really is first.
    """
    shutil.copytree(base, folder)
    words = Tokenizer.from_file(str(folder / "tokenizer.json"))
    words.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(prepend_scheme="first", split=False), words.pre_tokenizer]
    )
    special = [(word, words.token_to_id(word)) for word in ("<s>", "</s>") if word in form]
    words.post_processor = TemplateProcessing(single=form, special_tokens=special)
    words.save(str(folder / "tokenizer.json"))
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    (folder / "tokenizer_config.json").write_text(json.dumps(config | {"bos_token": "<s>"}))
    return folder


@pytest.mark.parametrize("form", [STARTS, CLOSES, STARTS_AND_CLOSES])
def test_a_prompt_starts_once_and_never_ends_whatever_the_tokenizer_adds(
    asked, tiny_base, tmp_path, form
):
    folder = with_other_ends(tiny_base("llava"), tmp_path / "base", form)
    config = model_config("llava", folder)
    evaluated, validated, trained = asked(config, Style.DIRECT, "")
    expected = prompts_and_pictures(evaluated)
    assert prompts_and_pictures(validated) == prompts_and_pictures(trained) == expected
    tokenizer = load_chat(config).processor.tokenizer
    start, end = tokenizer.convert_tokens_to_ids(["<s>", "</s>"])
    for ids, _ in expected:
        assert ids.count(start) == ("<s>" in form)
        assert ids[0] == start or "<s>" not in form
        assert end not in ids


def test_a_start_token_stands_where_servers_have_it(asked, tiny_base, tmp_path):
    """As the library's own way from messages to tokens, which `transformers serve` goes."""
    folder = with_other_ends(tiny_base("llava"), tmp_path / "base", STARTS)
    config = model_config("llava", folder)
    evaluated, _, _ = asked(config, Style.DIRECT, SYSTEM_TEXT)
    processor = transformers.AutoProcessor.from_pretrained(folder)
    served = []
    for one in stored(tmp_path / "evaluation").values():
        system = {"role": "system", "content": [{"type": "text", "text": SYSTEM_TEXT}]}
        user = [{"type": "image"}, {"type": "text", "text": one.prompt}]
        text = processor.apply_chat_template(
            [system, {"role": "user", "content": user}], add_generation_prompt=True
        )
        blank = transformers.image_utils.PIL.Image.new("RGB", (56, 56))
        ids = processor(images=[blank], text=[text], return_tensors="pt")["input_ids"][0]
        served.append(ids.tolist())
    assert sorted(served) == [ids for ids, _ in prompts_and_pictures(evaluated)]
    written = processor.tokenizer("<s>USER", add_special_tokens=False)["input_ids"]
    assert written != processor.tokenizer("USER")["input_ids"]  # why it is not put into the text


@pytest.mark.parametrize("kind", FAMILIES)
def test_keys_of_known_families_are_those_of_before(tiny_base, kind, study_samples):
    """All that enters a key beside prompt, picture and settings of generation."""
    base = tiny_base(kind)
    model = HfModel(HfSettings(weights=WeightSettings(name=str(base))))
    assert model.key_inputs(study_samples[0]) == {}
    assert model.revision == f"{located(WeightSettings(name=str(base))).version()} float32"
    assert model.model_id == f"hf/{base}"


def test_a_reply_ends_with_the_turn_even_if_the_model_does_not_state_it(tiny_base):
    base = tiny_base("gemma3")
    chat = load_chat(model_config("gemma3", base))
    tokenizer = chat.processor.tokenizer
    eos, of_turn = tokenizer.convert_tokens_to_ids(["<eos>", "<end_of_turn>"])
    recorder = Recorder(eos)
    assert LoadedModel(model=recorder, chat=chat).end_tokens() == sorted([eos, of_turn])
    recorder.generation_config.eos_token_id = None
    assert LoadedModel(model=recorder, chat=chat).end_tokens() == sorted([eos, of_turn])
    recorder.generation_config.eos_token_id = [eos, of_turn, 3]
    assert LoadedModel(model=recorder, chat=chat).end_tokens() == sorted({eos, of_turn, 3})


@pytest.mark.parametrize("precision", Precision)
@pytest.mark.parametrize("tuning", [Tuning.LORA, Tuning.QLORA])
def test_weights_are_loaded_with_the_same_options(tiny_base, monkeypatch, tuning, precision):
    if tuning is Tuning.QLORA:
        pytest.importorskip("bitsandbytes")
    base = str(tiny_base("llava"))
    seen = []

    def from_pretrained(_folder, **options):
        seen.append(options)
        raise OSError

    monkeypatch.setattr(
        transformers.AutoModelForImageTextToText, "from_pretrained", from_pretrained
    )
    config = ModelConfig(base=base, family="56x56", tuning=tuning, precision=precision)
    evaluated = WeightSettings(
        name=base, in_4bit=tuning is Tuning.QLORA, precision=SAME_PRECISION[precision]
    )
    for load in (
        lambda: load_model(config),
        lambda: HfModel(HfSettings(weights=evaluated))._loaded,
    ):
        with pytest.raises(Exception, match="cannot be loaded"):
            load()
    of_training, of_evaluation = seen
    assert (
        of_training.pop("attn_implementation") == "sdpa"
    )  # the library's choice where there is one
    packing = [options.pop("quantization_config", None) for options in seen]
    assert of_training == of_evaluation
    if tuning is Tuning.QLORA:
        first, second = (one.to_dict() for one in packing)
        assert first == second
        assert (first["bnb_4bit_quant_type"], first["bnb_4bit_use_double_quant"]) == ("nf4", True)
    else:
        assert packing == [None, None]


def test_weights_in_4_bits_have_a_key_that_says_how_they_are_packed(tiny_base):
    settings = WeightSettings(name=str(tiny_base("llava")), in_4bit=True)
    assert HfModel(HfSettings(weights=settings)).revision.endswith(" float32 4bit-double")


@pytest.mark.parametrize(
    ("precision", "end"), [("float32", " float32"), ("bfloat16", " bfloat16 autocast")]
)
def test_an_adapter_in_bf16_has_a_key_that_says_how_it_is_computed(
    tiny_base, tmp_path, precision, end
):
    stated = {"base_model_name_or_path": str(tiny_base("qwen"))}
    (tmp_path / "adapter_config.json").write_text(json.dumps(stated))
    adapter = WeightSettings(name=str(tmp_path), precision=weights.Precision(precision))
    assert HfModel(HfSettings(weights=adapter)).revision.endswith(end)
    base = WeightSettings(name=str(tiny_base("qwen")), precision=weights.Precision(precision))
    assert HfModel(HfSettings(weights=base)).revision.endswith(f" {precision}")


def test_a_model_is_known_by_the_name_it_was_given_not_by_its_folder(tiny_base, monkeypatch):
    """PEFT writes it into adapters."""
    base = tiny_base("qwen")
    monkeypatch.chdir(base.parent)
    settings = weight_settings(ModelConfig(base=base.name, family="56x56"))
    model = load_weights(settings, located(settings))
    assert (model.name_or_path, model.config.name_or_path) == (base.name, base.name)


def test_an_adapter_is_no_base(tiny_base, tmp_path):
    stated = {"base_model_name_or_path": str(tiny_base("qwen"))}
    (tmp_path / "adapter_config.json").write_text(json.dumps(stated))
    with pytest.raises(BaseModelError, match=r"found an adapter of .*; fold it into its base"):
        load_model(ModelConfig(base=str(tmp_path), family="56x56"))


@pytest.fixture
def trained(tiny_base, sft_config):
    """Trains a little; gives output folder and configuration."""

    def train(kind, tuning, precision):
        if tuning is Tuning.QLORA:
            pytest.importorskip("bitsandbytes")
        config = sft_config(
            tiny_base(kind),
            kind,
            optimiser=OptimiserConfig(
                learning_rate=5e-3, max_steps=48, batch_size=4, accumulation=1
            ),
            validation=ValidationConfig(
                subject_frac=0.2,
                samples=N_VALIDATED,
                every_steps=24,
                max_new_tokens=24,
                batch_size=BATCH[precision],
            ),
        )
        model = dataclasses.replace(
            config.model,
            tuning=tuning,
            precision=precision,
            system_text=SYSTEM_TEXT,
            revision="main",
        )
        config = dataclasses.replace(config, model=model)
        return train_sft(config), config

    return train


@pytest.mark.parametrize(
    ("kind", "tuning", "precision"),
    [
        *((kind, Tuning.LORA, Precision.FP32) for kind in FAMILIES),
        ("qwen", Tuning.FULL, Precision.FP32),
        ("qwen", Tuning.QLORA, Precision.FP32),
        # as on GPUs; with the adapter rounded to bf16, up to 9 of 40 replies were others
        ("internvl", Tuning.LORA, Precision.BF16),
        ("llava", Tuning.LORA, Precision.BF16),
        ("llava", Tuning.QLORA, Precision.BF16),
    ],
)
def test_a_trained_model_replies_in_evaluation_as_in_its_validation(
    trained, tmp_path, kind, tuning, precision
):
    result, config = trained(kind, tuning, precision)
    manifest = json.loads((result.model.parent / "manifest.json").read_text(encoding="utf-8"))
    validation = result.model.parent / "validation" / f"step-{manifest['best_step']}"
    profile = profile_for(str(result.model))
    assert profile == trained_profile(config)
    if tuning is not Tuning.FULL:
        saved = json.loads((result.model / "adapter_config.json").read_text(encoding="utf-8"))
        assert saved["base_model_name_or_path"] == config.model.base
        assert saved["revision"] == "main"
    settings = WeightSettings(
        name=str(result.model),
        in_4bit=tuning is Tuning.QLORA,
        precision=SAME_PRECISION[precision],
    )
    generation = Generation(temperature=profile.temperature, max_tokens=profile.max_tokens)
    asked = HfSettings(weights=settings, generation=generation, batch_size=BATCH[precision])
    request = EvalRequest(
        samples=sample_table(samples_from_table(read_samples(validation))),
        model=HfModel(asked),
        family=picture_family(config.model),
        style=profile.style,
        system_text=profile.system_text,
    )
    evaluate(request, tmp_path / "evaluation")
    validated, evaluated = stored(validation), stored(tmp_path / "evaluation")
    assert len(evaluated) == N_VALIDATED
    for what in ("text", "status", "finish_reason", "prompt_tokens", "completion_tokens"):
        assert said(evaluated, what) == said(validated, what)
    assert {i: one.prompt for i, one in evaluated.items()} == {
        i: one.prompt for i, one in validated.items()
    }
    untrained = stored(validation.parent / "step-0")
    assert said(evaluated, "text") != said(untrained, "text")
    assert len({one.reply.text for one in evaluated.values()}) > 1


def said(replies, what):
    """One thing of each reply, by sample."""
    return {sample_id: getattr(one.reply, what) for sample_id, one in replies.items()}
