"""What counts in the loss, and that nothing is ever cut. Needs the extra `train`."""

import pytest

pytest.importorskip("trl")

from medvision.prompts.targets import target_text
from medvision.replies import Style
from medvision.samples import sample_table
from medvision.train.base_model import load_chat
from medvision.train.collate import (
    IGNORED,
    ROW,
    Collator,
    ExampleTransform,
    refuse_long_sequences,
)
from medvision.train.errors import SequenceTooLongError
from medvision.train.examples import Examples, picture_family
from tests.train.conftest import FAMILIES, model_config

pytestmark = pytest.mark.train


@pytest.fixture
def prepared(tiny_base, study_samples):
    """Chat and examples of a tiny model of a family."""

    def make(kind, style=Style.DIRECT):
        config = model_config(kind, tiny_base(kind))
        chat = load_chat(config)
        samples = [*study_samples[:3], *study_samples[-3:]]  # boxes and axes: unequal lengths
        return chat, Examples(sample_table(samples), style, picture_family(config), n_volumes=2)

    return make


@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize("kind", FAMILIES)
def test_exactly_the_assistants_tokens_count(prepared, kind, style):
    chat, examples = prepared(kind, style)
    transform = ExampleTransform(examples, chat)
    batch = Collator(chat, 4096)([transform.example(row) for row in range(len(examples))])
    tokenizer = chat.processor.tokenizer
    lengths = batch["attention_mask"].sum(dim=1)
    assert len(set(lengths.tolist())) > 1
    for row in range(len(examples)):
        sample = examples.sample(row)
        family = examples.family
        target = target_text(sample, style, family.view(sample.geometry))
        labels, ids = batch["labels"][row], batch["input_ids"][row]
        counted = labels != IGNORED
        assert tokenizer.decode(labels[counted]) == target + chat.end_of_turn
        assert (labels[counted] == ids[counted]).all()
        last = int(lengths[row]) - 1
        assert counted.nonzero().flatten().tolist() == list(
            range(last + 1 - int(counted.sum()), last + 1)
        )
    assert batch[ROW].tolist() == list(range(len(examples)))


@pytest.mark.parametrize("kind", FAMILIES)
def test_a_sequence_beyond_the_limit_is_refused_and_not_cut(prepared, kind):
    chat, examples = prepared(kind)
    transform = ExampleTransform(examples, chat)
    example = transform.example(0)
    n_tokens = int(Collator(chat, 4096)([dict(example)])["attention_mask"].sum())
    assert Collator(chat, n_tokens)([dict(example)])["input_ids"].shape == (1, n_tokens)
    short = Collator(chat, n_tokens - 1, examples.sample_id)
    with pytest.raises(SequenceTooLongError, match=f"study%201.*at most {n_tokens - 1} tokens"):
        short([dict(example)])


def test_the_longest_text_of_each_picture_size_is_tried_before_training(prepared):
    chat, examples = prepared("qwen")
    transform = ExampleTransform(examples, chat)
    batch = Collator(chat, 4096)([transform.example(row) for row in range(len(examples))])
    longest = int(batch["attention_mask"].sum(dim=1).max())
    tried = refuse_long_sequences(examples, chat, Collator(chat, 4096))
    assert abs(tried - longest) <= 10
    with pytest.raises(SequenceTooLongError, match="nothing is cut"):
        refuse_long_sequences(examples, chat, Collator(chat, tried - 1, examples.sample_id))
