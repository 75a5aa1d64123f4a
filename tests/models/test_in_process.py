"""Conversations and folders of models in this process; with weights: tests/train, tests/peers."""

import doctest
import json

import pytest
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers
from tokenizers.processors import TemplateProcessing

from medvision.models.in_process import chat, generate
from medvision.models.in_process.chat import Beginning, ChatError, beginning_of, chat_of
from medvision.models.in_process.weights import ModelFolderError, WeightSettings, located

SPECIAL = ("<pad>", "<s>", "</s>", "<mask>", "<sop>", "<image>", "<end>")


def tokenizer(front="", back="", bos=None, eos="</s>"):
    """A tokenizer of letters that puts tokens around every text: words apart by spaces."""
    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *"abcMeasurit.<>/?01234 "])}
    raw = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    words = [*front.split(), *back.split()]
    if words:
        raw.post_processor = TemplateProcessing(
            single=" ".join([*front.split(), "$A", *back.split()]),
            special_tokens=[(word, vocabulary[word]) for word in set(words)],
        )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw,
        bos_token=bos,
        eos_token=eos,
        pad_token="<pad>",
        extra_special_tokens={word.strip("<>"): word for word in SPECIAL[3:]},
    )


@pytest.mark.parametrize(
    ("front", "back", "bos", "rendered", "expected"),
    [
        # nothing to add: neither by the template nor by the tokenizer
        ("", "", None, "a", Beginning()),
        ("", "", "<s>", "a", Beginning()),
        ("", "", "<s>", "<s>a", Beginning()),
        # the tokenizer's affair, or the template's
        ("<s>", "", "<s>", "a", Beginning(by_tokenizer=True)),
        ("<s>", "", "<s>", "<s>a", Beginning()),
        ("<mask> <sop>", "", None, "a", Beginning(by_tokenizer=True)),
        # both would write it: `bos_token` does not name it, so that the library adds it once more
        ("<mask> <sop>", "", None, "<mask><sop>a", Beginning(key_inputs={"start": []})),
        # left to itself the tokenizer would close the prompt
        ("<s>", "</s>", "<s>", "a", Beginning(text="<s>", key_inputs={"start": ["<s>"]})),
        ("<s>", "</s>", "<s>", "<s>a", Beginning()),
        ("", "</s>", None, "a", Beginning(key_inputs={"start": []})),
        # a text that starts as the tokenizer says is not started otherwise
        ("<mask>", "", "<s>", "<s>a", Beginning()),
    ],
)
def test_a_prompt_starts_once_and_keys_change_only_with_it(front, back, bos, rendered, expected):
    words = tokenizer(front, back, bos)
    found = beginning_of(words, rendered)
    assert found == expected
    ids = words(found.text + rendered, add_special_tokens=found.by_tokenizer)["input_ids"]
    by_rule = not (bos and rendered.startswith(bos))
    library = words(rendered, add_special_tokens=by_rule)["input_ids"]
    assert (ids == library) is (found.key_inputs == {})
    starts = words.convert_tokens_to_ids(front.split() or ["<s>"])
    assert ids[: len(starts)] == starts or not front or rendered.startswith("<s>")
    assert words.eos_token_id not in ids


class Processor:
    """What a chat needs of a processor."""

    image_token = "<image>"

    def __init__(self, template, words=None):
        self.chat_template = template
        self.tokenizer = words or tokenizer()

    def apply_chat_template(self, messages, *, chat_template, **options):
        return self.tokenizer.apply_chat_template(messages, chat_template=chat_template, **options)


def turns(*, end="", reply="{{ part.text }}", image="<image>", text="{{ part.text }}"):
    """A template of turns whose content is a list of parts."""
    return (
        "{% for message in messages %}{{ message.role }}: {% for part in message.content %}"
        "{% if part.type == 'image' %}" + image + "{% elif message.role == 'assistant' %}"
        f"{reply}{{% else %}}{text}{{% endif %}}{{% endfor %}}{end}; {{% endfor %}}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )


def test_a_prompt_holds_system_text_picture_and_question():
    found = chat_of(Processor(turns()), "m")
    assert found.prompt("a?") == "user: <image>a?; assistant: "
    assert found.prompt("a?", "Be brief.") == "system: Be brief.; user: <image>a?; assistant: "


def test_arguments_reach_the_template():
    template = turns() + "{{ mode }}"
    assert chat_of(Processor(template), "m").prompt("a", "", {"mode": "1"}).endswith("assistant: 1")


@pytest.mark.parametrize(
    ("template", "end"),
    [
        (turns(end="<end>"), "<end>"),
        (turns(end=" <end>"), "<end>"),
        (turns(), "</s>"),
        (turns(end="<end>", reply=""), "</s>"),
        # the assistant's words are taken as plain text only
        (
            "{% for m in messages %}{% if m.role == 'user' %}<image>{{ m.content[1].text }}"
            "{% else %}{{ m.content + '<end>' }}{% endif %}{% endfor %}",
            "<end>",
        ),
    ],
)
def test_a_turn_ends_as_the_template_writes_it_else_as_a_text_does(template, end):
    found = chat_of(Processor(template), "m")
    assert found.end_of_turn == end
    assert found.completion("1.0") == f"1.0{end}"


def test_a_template_of_the_tokenizer_serves_where_the_processor_has_none():
    processor = Processor(None)
    processor.tokenizer.chat_template = turns()
    assert chat_of(processor, "m").prompt("a") == "user: <image>a; assistant: "
    # of several the one that is meant unless another is asked for
    processor.tokenizer.chat_template = {"default": turns(end="<end>"), "tool_use": "{{ no }}"}
    assert chat_of(processor, "m").end_of_turn == "<end>"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (None, "no chat template"),
        ({"tool_use": turns()}, "no chat template"),
        (turns(image=""), "leaves the picture out"),
        (turns(text=""), "leaves the question out"),
    ],
)
def test_a_model_that_cannot_talk_about_a_picture_is_refused(template, message):
    with pytest.raises(ChatError, match=f"^some/base: .*{message}"):
        chat_of(Processor(template), "some/base")


def test_a_model_without_any_end_is_refused():
    with pytest.raises(ChatError, match="says how a turn ends"):
        chat_of(Processor(turns(), tokenizer(eos=None)), "m")


@pytest.fixture
def folders(tmp_path):
    """A model's folder and that of an adapter which names it."""
    model, adapter = tmp_path / "model", tmp_path / "adapter"
    for folder, name, content in (
        (model, "config.json", {}),
        (adapter, "adapter_config.json", {"base_model_name_or_path": str(model), "revision": None}),
    ):
        folder.mkdir()
        (folder / name).write_text(json.dumps(content))
    return model, adapter


def test_an_adapter_leads_to_its_model(folders):
    model, adapter = folders
    alone = located(WeightSettings(name=str(adapter)))
    assert (alone.name, alone.model, alone.adapter) == (str(model), model, adapter)
    assert alone == located(WeightSettings(name=str(model), adapter=str(adapter)))
    assert located(WeightSettings(name=str(model))).adapter is None


def test_an_adapter_leads_to_the_revision_that_it_was_trained_over(folders, monkeypatch):
    model, adapter = folders
    fetched = []

    class Hub:
        HfHubHTTPError = OSError

        @staticmethod
        def snapshot_download(name, *, revision, allow_patterns):
            fetched.append((name, revision))
            (model / "model.safetensors").touch()
            return model

    monkeypatch.setattr("medvision.models.in_process.weights.require", lambda *_, **__: Hub)
    stated = {"base_model_name_or_path": "owner/base", "revision": "v2"}
    (adapter / "adapter_config.json").write_text(json.dumps(stated))
    assert located(WeightSettings(name=str(adapter))).model == model
    assert located(WeightSettings(name="owner/base")).name == "owner/base"
    assert fetched == [("owner/base", "v2"), ("owner/base", None)]


def test_a_version_names_the_content_of_model_and_adapter(folders):
    model, adapter = folders
    found = located(WeightSettings(name=str(adapter)))
    before = found.version()
    assert before.startswith("sha256:")
    assert " adapter sha256:" in before
    (adapter / "trainer_state.json").write_text("{}")
    assert found.version() == before
    (model / "generation_config.json").write_text("{}")
    assert found.version() != before
    # the hub's cache names folders by commit
    snapshot = model.parent / "snapshots" / "0f1e"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    assert located(WeightSettings(name=str(snapshot))).version() == "0f1e"


def test_two_adapters_are_refused(folders):
    _, adapter = folders
    with pytest.raises(ModelFolderError, match="expected a model beside --adapter"):
        located(WeightSettings(name=str(adapter), adapter=str(adapter)))


@pytest.mark.parametrize("module", [chat, generate])
def test_examples_in_docstrings_give_what_they_show(module):
    result = doctest.testmod(module)
    assert (result.failed, result.attempted > 0) == (0, True)
