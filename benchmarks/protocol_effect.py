"""What each part of the paper's protocol does to the numbers of a run (docs/protocol.md).

    python -m benchmarks.protocol_effect ROOT

ROOT is the folder of `medvision demo --cases 30 --out ROOT`. One model answers all questions of the
suite `demo`: the truth with 10 % noise, of ten replies five in an awkward form.
"""

import sys
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.compute as pc

from medvision.models.base import ALL_TASKS, Question, Reply, ResponseStatus
from medvision.models.baselines import NoisyOracle
from medvision.models.evaluate import EvalRequest, evaluate
from medvision.pictures.view import PictureFamily
from medvision.prompts.answers import ANSWER_FORMATS
from medvision.protocols import MEDVISION, Protocol, load_protocol
from medvision.replies import Style
from medvision.samples.select import select_samples, table_folders
from medvision.samples.suite import load_suite
from medvision.scoring import aggregate, group_averages
from medvision.scoring.score_run import score_run, scored
from medvision.table.read import tables_folder
from medvision.tasks import Task

PAPER = load_protocol("paper")
TASKS = (Task.DETECTION, Task.TUMOR_LESION, Task.ANGLE_DISTANCE)


class Awkward:
    """A noisy oracle that says its answer in one of ten forms, by turns."""

    model_id = "benchmark/awkward"
    revision = ""
    tasks = ALL_TASKS
    batch_size = window_size = 1000

    def __init__(self) -> None:
        self._oracle = NoisyOracle(0.1)

    @property
    def settings(self) -> dict[str, Any]:
        return {}

    def key_inputs(self, question: Question) -> dict[str, Any]:
        return {"text": self.text(question)}

    def text(self, question: Question) -> str:
        task = question.sample.task
        values = self._oracle.values(question.sample, question.repeat)
        answer = ANSWER_FORMATS[task].write(values, Style.COT)
        bare = answer.removeprefix("<answer>").removesuffix("</answer>")
        first, *rest = bare.split(", ")
        form = sha256(question.sample.sample_id.encode()).digest()[0] % 10
        match form:
            case 0:  # thinks better of it
                return f"<answer>{', '.join(['0.10', *rest])}</answer> or rather {answer}"
            case 1:  # an extra number
                return f"<answer>finding 1: {bare}</answer>"
            case 2 if task is Task.DETECTION:  # corners in another order
                x0, y0, x1, y1 = bare.split(", ")
                return f"<answer>{x1}, {y1}, {x0}, {y0}</answer>"
            case 3:  # without tags
                return f"The answer is {bare}."
            case 4 if task is not Task.DETECTION and question.sample.unit == "mm":  # in cm
                values = [f"{value / 10:.3f} cm" for value in map(float, [first, *rest])]
                return f"<answer>{', '.join(values)}</answer>"
        return answer

    def replies(self, questions: Sequence[Question]) -> list[Reply]:
        return [Reply(status=ResponseStatus.OK, text=self.text(one)) for one in questions]


def run_of(protocol: Protocol, root: Path, run: Path) -> int:
    suite = load_suite("demo")
    names = dict.fromkeys(config.dataset for config in suite.configs)
    tables = table_folders([tables_folder(root, name) for name in names])
    selection = select_samples(suite, tables, split="all", root=root, protocol=protocol)
    request = EvalRequest(
        samples=selection.table,
        model=Awkward(),
        family=PictureFamily(name="as_sent"),
        style=Style.COT,
        protocol=protocol,
    )
    evaluate(request, run)
    return int(selection.table.num_rows)


def numbers(scores: Any, task: Task) -> Mapping[str, float | None]:
    rows = scores.filter(pc.equal(scores["task"], str(task)))
    (row, *_) = aggregate(rows, n_resamples=0).to_pylist()
    averages = PAPER.averages
    found = group_averages(
        rows,
        [],
        min_samples=averages.min_samples,
        miscellaneous_in=averages.miscellaneous_in,
        n_resamples=0,
    ).to_pylist()
    average = found[0] if found else {}
    name = "iou_mean_zero_filled" if task is Task.DETECTION else "mre_mean_parsed"
    return {
        "success": row["success_rate"],
        "all samples": row[name],
        "weighted": average.get(f"{name}_sample_weighted"),
        "unweighted": average.get(f"{name}_group_mean"),
    }


def main(root: Path) -> None:
    with TemporaryDirectory() as folder:
        found = {}
        for protocol in (MEDVISION, PAPER):
            run = Path(folder) / protocol.name
            run_of(protocol, root, run)
            score_run(run)
            for reading in (MEDVISION.reading, PAPER.reading):
                found[protocol.view, reading] = scored(run, reading)
        print("| task | view | reading | success | all samples | weighted | unweighted |")
        print("|---|---|---|---|---|---|---|")
        for task in TASKS:
            for (view, reading), scores in found.items():
                values = numbers(scores, task).values()
                cells = ["–" if value is None else f"{value:.3f}" for value in values]
                print(f"| `{task}` | {view} | {reading} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
