"""A key changes with everything a model sees and with nothing else."""

import hashlib
import json

import pytest

from medvision.models import Generation, make_baseline, request_key
from medvision.models.keys import canonical_json, request_document
from medvision.tasks import Task
from tests import builders

URL = "http://127.0.0.1:1/v1"


def test_key_is_the_digest_of_the_request_as_documented(served_model):
    question = builders.question(3, system_text="Be brief.")
    document = {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": f"sha256:{3:064x}"}},
                    {"type": "text", "text": "Where is the liver? (3)"},
                ],
            },
        ],
        "pixels": {"sha256": f"{3:064x}", "shape": [64, 64]},
        "model": {"id": "openai/tiny", "revision": ""},
        "settings": {
            "temperature": 0.0,
            "max_tokens": 4096,
            "top_p": None,
            "seed": None,
            "stop": [],
            "extra_body": {},
        },
        "inputs": {},
        "repeat": 0,
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    model = served_model(URL)
    assert request_document(question, model) == document
    assert request_key(question, model) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt_text": "Where?"},
        {"system_text": "Be brief."},
        {"pixel_sha256": "f" * 64},
        {"pixel_shape": (32, 128)},
        {"repeat": 1},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_key_changes_with_the_question(changes, served_model):
    model = served_model(URL)
    assert request_key(builders.question(), model) != request_key(
        builders.question(**changes), model
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "other"},
        {"revision": "2"},
        {"generation": Generation(temperature=0.5)},
        {"generation": Generation(temperature=None)},
        {"generation": Generation(max_tokens=17)},
        {"generation": Generation(top_p=0.9)},
        {"generation": Generation(seed=1)},
        {"generation": Generation(stop=("\n",))},
        {"generation": Generation(extra_body={"min_p": 0.1})},
    ],
    ids=str,
)
def test_key_changes_with_the_model_and_its_settings(changes, served_model):
    question = builders.question()
    assert request_key(question, served_model(URL)) != request_key(
        question, served_model(URL, **changes)
    )


def test_key_ignores_address_retries_concurrency_and_sample_id(served_model):
    model = served_model(URL)
    other = served_model("https://elsewhere.example/v1", max_in_flight=1)
    assert request_key(builders.question(), model) == request_key(builders.question(), other)
    renamed = builders.question(sample=builders.sample(sample_id="another"))
    assert request_key(builders.question(), model) == request_key(renamed, model)


def test_key_of_a_baseline_changes_with_its_answer():
    oracle = make_baseline("baseline/oracle")
    one = builders.question(sample=builders.sample(Task.AREA, truth=(1.0,)))
    two = builders.question(sample=builders.sample(Task.AREA, truth=(2.0,)))
    assert request_key(one, oracle) != request_key(two, oracle)


def test_canonical_json_ignores_the_order_of_names():
    assert canonical_json({"b": 1, "a": [1.5, "µ"]}) == '{"a":[1.5,"\\u00b5"],"b":1}'


def test_canonical_json_refuses_what_is_no_json():
    with pytest.raises(ValueError, match="Out of range float values"):
        canonical_json({"temperature": float("nan")})
