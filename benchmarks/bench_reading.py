"""What reading a reply costs, beside the cheapest thing that finds numbers at all.

Run from the repository root: `python -m benchmarks.bench_reading [--replies 20000]`.
"""

import argparse
import platform
import re
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from medvision.prompts.answers import ANSWER_FORMATS
from medvision.replies import Style, read_answer
from medvision.replies.recovered import read_recovered
from medvision.tasks import TASKS, Task

REASONING = (
    "The lesion lies in the right lobe. Its major axis runs from (0.31, 0.42) to (0.45, 0.51), "
    "so dx = 0.14 x 512 x 0.78 = 55.9 mm and dy = 0.09 x 512 x 0.78 = 35.9 mm. "
)
FORMS: dict[str, tuple[Style, str]] = {
    "asked form": (Style.DIRECT, "{asked}"),
    "asked form in tags, 1 kB": (Style.COT, REASONING * 5 + "<answer>{asked}</answer>"),
    "sentence": (Style.DIRECT, "I read the values {asked} from this image."),
    "JSON block": (Style.DIRECT, '```json\n{{"values": [{asked}]}}\n```'),
    "sentence in tags": (Style.COT, REASONING + "<answer>It is {asked}.</answer>"),
    "no answer, 1 kB": (Style.DIRECT, REASONING * 5),
    "refusal": (Style.DIRECT, "I'm sorry, but I can't measure structures in medical images."),
}
LONG = 1_000_000
"""Characters of the long replies: no server is let to send more."""
PIECES = (
    *(
        "1",
        "1 ",
        "1,",
        "1e9",
        "a-1",
        "a",
        " ",
        "\n",
        "45 ",
        "<a>",
        "<x0>",
        "</answer>",
        "<answer>1",
        "< answer",
    ),
    *(
        "<think>",
        "</think>",
        "{",
        "[",
        "((",
        '"',
        '1"',
        "\\",
        "\\a",
        "\\SI{1}{",
        '<a unit="cm">',
        "&#1;",
    ),
    *(
        "°",
        "²",
        "\u0301",
        "不",
        "٣",
        "mm ",
        "unit: cm ",
        "(cm) ",
        "x0 ",
        "0.1 to ",
        "0.1-",
        "top left ",
    ),
    *(
        "major ",
        "origin ",
        "between ",
        "ich kann ",
        "I cannot ",
        "Answer: ",
        "\\boxed{",
        "1. ",
        "**",
    ),
)
"""What hostile replies repeat."""
_NUMBER = re.compile(r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?")


def values(task: Task, rng: np.random.Generator) -> list[float]:
    """Values that the task's format can write."""
    if TASKS[task].is_box:
        return [*rng.uniform(0, 0.4, 2), *rng.uniform(0.5, 1, 2)]
    return rng.uniform(1, 200, len(ANSWER_FORMATS[task].names)).tolist()


def replies(form: str, count: int) -> list[tuple[Task, str]]:
    """Replies of all tasks in turn."""
    rng, tasks = np.random.default_rng(0), list(Task)
    drawn = (tasks[index % len(tasks)] for index in range(count))
    return [
        (task, form.format(asked=ANSWER_FORMATS[task].write(values(task, rng)))) for task in drawn
    ]


def mean_us(call: Callable[[Task, str], object], texts: list[tuple[Task, str]]) -> float:
    """Mean time of a call over the replies, the best of three rounds, in microseconds."""
    rounds_s = []
    for _ in range(3):
        start_s = time.process_time()
        for task, text in texts:
            call(task, text)
        rounds_s.append(time.process_time() - start_s)
    return min(rounds_s) / len(texts) * 1e6


def slowest_long_ms() -> tuple[float, str]:
    """The slowest strict and recovered reading of long hostile replies, and what it repeats."""
    slowest = (0.0, "")
    for piece in PIECES:
        for head in ("", "31.2, 18.0 "):
            text = (head + piece * LONG)[:LONG]
            for task in (Task.DETECTION, Task.TUMOR_LESION):
                for call in (
                    *(partial(read_answer, style=style) for style in Style),
                    read_recovered,
                ):
                    start_s = time.process_time()
                    call(task, text)
                    took_ms = (time.process_time() - start_s) * 1e3
                    slowest = max(slowest, (took_ms, f"{head}{piece}"))
    return slowest


def main() -> None:
    """Print microseconds a reply: bare findall, strict, recovered; and the slowest long reply."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replies", type=int, default=20_000)
    count = parser.parse_args().replies
    print(f"{platform.machine()}, Python {platform.python_version()}, {count} replies a form")
    print(f"{'form':26} {'findall us':>10} {'strict us':>10} {'recovered us':>13}")
    for name, (style, form) in FORMS.items():
        texts = replies(form, count)
        bare_us = mean_us(lambda _, text: [float(one) for one in _NUMBER.findall(text)], texts)
        strict_us = mean_us(lambda task, text, s=style: read_answer(task, text, s), texts)
        recovered_us = mean_us(read_recovered, texts)
        print(f"{name:26} {bare_us:10.1f} {strict_us:10.1f} {recovered_us:13.1f}")
    slowest_ms, repeated = slowest_long_ms()
    print(
        f"slowest of {2 * len(PIECES)} hostile replies of 1 MB: {slowest_ms:.0f} ms, {repeated!r}"
    )


if __name__ == "__main__":
    main()
