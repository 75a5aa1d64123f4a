"""A served model is asked what it sees: one that sees as said, otherwise, or says no such thing."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from medvision.cli import main
from medvision.models.base import ErrorKind, Reply, ResponseStatus, error_reply
from medvision.models.probe import (
    DOTS,
    PROBE_SIZES,
    Finding,
    Verdict,
    frame_of,
    overall,
    places_finding,
    probe_picture,
)
from medvision.pictures.perceived import family_named, perceived_size
from medvision.pictures.view import PictureFamily
from tests.model_server import Respond, completion, say

PLACES = np.array([place for _, place in DOTS.values()])


def dots_in(picture):
    """(3, 2) centres x, y of the dots, as fractions of the picture, and its height and width."""
    height, width, _ = picture.shape
    centres = []
    for colour, _ in DOTS.values():
        other = np.array(colour) == 0
        is_dot = (picture[..., ~other].min(axis=2) > 127) & (picture[..., other].max(axis=2) < 128)
        y, x = np.nonzero(is_dot)
        centres.append(((x.mean() + 0.5) / width, (y.mean() + 0.5) / height))
    return np.array(centres), (height, width)


def seeing(family, *, side=None, order="xy", counts=True, words="{}"):
    """What a server does whose model sees as a family does.

    Args:
        side: Of the coordinates it writes; None is pixels of its canvas.
        order: Of the two coordinates of a place.
        counts: Whether it counts tokens.
    """

    def behave(request, _index):
        fractions, (height, width) = dots_in(request.picture)
        seen = perceived_size(family, height, width)
        x0, y0, x1, y1 = seen.content_box_px
        canvas_wh = np.array(seen.canvas_hw[::-1])
        places = fractions * [x1 - x0, y1 - y0] + [x0, y0]
        places = places if side is None else places / canvas_wh * side
        numbers = places if order == "xy" else places[:, ::-1]
        body = completion(words.format(", ".join(f"{number:.1f}" for number in numbers.flat)))
        tokens = family_named(family).tokens
        body["usage"] = {"prompt_tokens": 90 + (tokens(seen) if tokens else 0)} if counts else None
        return Respond(body=body)

    return behave


@pytest.fixture
def probed(serve, capsys):
    """Runs the probe against a server; exit status, and verdicts by what was looked at."""

    def run(behave, *words):
        server = serve(behave)
        asked = ["doctor", "--base-url", server.base_url, "--probe", *words]
        status = main([str(word) for word in asked])
        shown = capsys.readouterr()
        rows = {line[:24].strip(): line[24:] for line in shown.out.splitlines()}
        return status, rows, shown.err

    return run


def verdicts(rows):
    names = [f"dots on {h}x{w} px" for h, w in PROBE_SIZES]
    return [rows[name].partition(":")[0] for name in (*names, "tokens", "the rule")]


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl", "gemma3", "internvl3", "448x448"])
def test_a_model_that_sees_as_said_agrees(probed, family):
    status, rows, err = probed(seeing(family), "--model", "m", "--family", family)

    assert (status, err) == (0, "")
    assert verdicts(rows) == ["agrees"] * 4
    assert "pixels of the canvas" in rows["dots on 480x720 px"]


@pytest.mark.parametrize("family", ["llava_onevision", "mllama", "pixtral"])
def test_where_tokens_are_not_known_places_decide(probed, family):
    status, rows, _ = probed(seeing(family), "--model", "m", "--family", family)

    found = [rows[name].partition(":")[0] for name in ("tokens", "the rule")]
    assert (status, found) == (0, ["cannot tell", "agrees"])


@pytest.mark.parametrize(("side", "order"), [(1000, "xy"), (1000, "yx"), (1, "xy")])
def test_normalised_places_agree_where_nothing_is_padded(probed, side, order):
    words = "The dots: {}." if side > 1 else "{}"
    behave = seeing("qwen3_vl", side=side * 1.0, order=order, words=words)
    status, rows, _ = probed(behave, "--model", "Qwen3-VL-8B-Instruct")

    if side == 1:  # one decimal says too little
        assert rows["dots on 480x720 px"].startswith("cannot tell")
    else:
        assert rows["dots on 480x720 px"].startswith("agrees: placed in 0-1000")
    assert (status, rows["tokens"].partition(":")[0]) == (0, "agrees")


@pytest.mark.parametrize(
    ("said", "sees"), [("qwen2_5_vl", "qwen3_vl"), ("gemma3", "448x448"), ("448x448", "internvl3")]
)
def test_a_model_that_sees_otherwise_differs_and_both_are_shown(probed, said, sees):
    status, rows, err = probed(seeing(sees), "--model", "m", "--family", said)

    assert status == 1
    assert rows["the rule"] == "differs"
    assert "The model sees otherwise than prompts would state" in err
    if said == "gemma3":
        stated = "differs: placed as if the picture were 448x448; the rule: 896x896 px"
        assert rows["dots on 480x720 px"] == stated
    if said == "qwen2_5_vl":
        words = "differs: the second picture takes -78 beside the first; by the rule -90"
        assert rows["tokens"] == words


@pytest.mark.parametrize("side", [None, 1000.0])
def test_padding_shows_in_places_whatever_their_unit(probed, side):
    behave = seeing("clip336_pad", side=side)
    status, rows, _ = probed(behave, "--model", "m", "--family", "qwen3_vl")

    assert status == 1
    assert rows["dots on 480x720 px"].startswith("differs: placed as if the picture were")


@pytest.mark.parametrize(
    "text",
    ["I see no dots.", "1, 2, 3", "5, 5, 5, 5, 5, 5", "1, 900, 3, 4, 2, 60", "", "0 1 2 3 4 5 6"],
)
def test_nonsense_and_no_usage_cannot_tell(probed, text):
    body = {**completion(text), "usage": None}
    status, rows, err = probed(lambda *_: Respond(body=body), "--model", "m", "--family", "gemma3")

    assert (status, err) == (0, "")
    assert verdicts(rows) == ["cannot tell"] * 4
    assert rows["tokens"] == "cannot tell: the server counts no prompt tokens"


def test_places_in_pixels_of_the_picture_sent_say_nothing_of_the_canvas(probed):
    behave = seeing("as_sent", counts=False)
    _, rows, _ = probed(behave, "--model", "m", "--family", "gemma3")

    assert verdicts(rows) == ["cannot tell"] * 4
    assert "pixels of the picture sent" in rows["dots on 480x720 px"]


def test_a_servers_error_cannot_tell_and_is_shown(probed):
    refusal = {"error": {"message": "no pictures here"}}
    behave = lambda *_: Respond(code=400, body=refusal)  # noqa: E731
    status, rows, _ = probed(behave, "--model", "m", "--family", "gemma3")

    assert (status, rows["the rule"]) == (0, "cannot tell")
    assert "no pictures here" in rows["dots on 480x720 px"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--probe"], "--probe asks a model: name it with --model"),
        (["--probe", "--family", "gemma3"], "expected --model NAME of a served model, found none"),
        (["--probe", "--model", "hf/x", "--family", "gemma3"], "found hf/x; an hf/ model is"),
    ],
)
def test_the_probe_needs_a_served_model(words, message, capsys):
    assert main(["doctor", *words]) == 2
    assert message in capsys.readouterr().err


def test_what_is_sent_is_what_questions_send(serve):
    server = serve(lambda *_: say("no"))
    command = ["doctor", "--base-url", server.base_url, "--probe", "--model", "claude-sonnet-4-5"]
    main(command)

    assert [request.picture.shape[:2] for request in server.requests] == [(476, 700), (896, 280)]
    assert server.requests[0].body["temperature"] == 0


@pytest.mark.parametrize("family", ["llava_next", "clip336_pad", "claude", "gemma3"])
def test_dots_lie_where_they_are_said_to(family):
    limits = {"long_edge_px": 1568, "max_tokens": 1600} if family == "claude" else None
    for size_hw in PROBE_SIZES:
        probe = probe_picture(*size_hw, PictureFamily(name=family, limits=limits))
        found, sent_hw = dots_in(np.asarray(Image.open(BytesIO(probe.png))))

        assert sent_hw == probe.sent_hw
        assert np.abs(found - probe.places).max() < 0.005


def test_numbers_of_a_thought_do_not_count():
    said = (PLACES * 1000).round().flat
    text = f"<think>1, 2, 3</think>{', '.join(str(number) for number in said)}"

    assert frame_of(text, PLACES).is_of((1000, 1000))
    assert frame_of(text.replace("<think>", ""), PLACES) is None


def test_an_error_is_no_answer():
    probe = probe_picture(480, 720, PictureFamily(name="gemma3"))

    found = places_finding(probe, error_reply(ErrorKind.TIMEOUT))
    empty = places_finding(probe, Reply(status=ResponseStatus.OK))

    assert found.verdict is empty.verdict is Verdict.CANNOT_TELL
    assert "timeout" in found.words


@pytest.mark.parametrize(
    ("each", "all_together"),
    [
        (["agrees", "cannot tell"], "agrees"),
        (["agrees", "differs"], "differs"),
        (["cannot tell"], "cannot tell"),
        ([], "cannot tell"),
    ],
)
def test_one_difference_differs(each, all_together):
    findings = [Finding(what="x", verdict=Verdict(one), words="") for one in each]

    assert overall(findings) == all_together
