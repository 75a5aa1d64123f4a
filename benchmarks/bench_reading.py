"""What reading a reply costs, beside the cheapest thing that finds numbers at all.

Run from the repository root: `python -m benchmarks.bench_reading [--replies 20000]`.
"""

import argparse
import platform
import re
import time
from collections.abc import Callable

import numpy as np

from medvision.prompts.answers import ANSWER_FORMATS
from medvision.replies import Style, read_answer
from medvision.replies.recovered import read_recovered
from medvision.tasks import Task

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
_NUMBER = re.compile(r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?")


def values(task: Task, rng: np.random.Generator) -> list[float]:
    """Values that the task's format can write."""
    if task is Task.DETECTION:
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


def main() -> None:
    """Print microseconds a reply: bare findall, strict, recovered."""
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


if __name__ == "__main__":
    main()
