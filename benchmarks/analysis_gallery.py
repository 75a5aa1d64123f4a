"""The figures of `docs/analyses.md`: each analysis on runs with a known defect and without it.

Run: python -m benchmarks.analysis_gallery [docs/figures/analyses]
"""

import sys
from pathlib import Path

from medvision.analysis.drawing.chart_svg import chart_svg, on_paper
from medvision.analysis.verdicts.analyse import analyse
from medvision.analysis.verdicts.charts import charts
from medvision.best_constant import best_constant
from medvision.tasks import TASKS, Task
from tests.analysis.verdicts import studies


def gallery(n_subjects=studies.N_SUBJECTS):
    """Each analysis with the runs that its figure shows."""

    def of(name, answer, *tasks, **options):
        asked = [one for one in questions if one.task in tasks]
        return studies.run(name, asked, answer, **options)

    questions = studies.questions(n_subjects)
    box, lesion, angle = Task.DETECTION, Task.TUMOR_LESION, Task.ANGLE_DISTANCE
    best = {
        task: best_constant(
            TASKS[task].headline_column,
            [one.truth for one in studies.questions(seed=9) if one.task is task],
        )
        for task in (box, lesion)
    }
    opponent = of(
        "train-best", lambda one, _: best[one.task], box, lesion, model="baseline/train-best"
    )
    fine = of("no defect", studies.sure, box, lesion)
    coronal = of("fails on coronal slices", studies.not_coronal, box, lesion)
    angles = [
        of("drawn to the middle", studies.to_the_middle, angle),
        of("no defect", studies.sure, angle),
    ]
    lesions = [one for one in questions if one.task is lesion]
    asked_again = studies.asked_with_pixel_sizes
    return {
        "margin": [fine, coronal, opponent],
        "size": [of("right on large targets only", studies.large_only, box), fine, opponent],
        "generalisation": [coronal, fine],
        "instructions": [of("a third unread", studies.sure, box, lesion, unread=0.3), fine],
        "collapse": [
            of("five values", studies.five_values, lesion),
            of("rounds to tens", studies.rounded, lesion),
        ],
        "bias": angles,
        "spacing": [
            asked_again("ignores the pixel size", lesions, studies.guessed_pixel_size),
            asked_again("uses the pixel size", lesions, studies.sure),
        ],
        "clinical": angles,
        "steps": [
            studies.reasoned("wrong arithmetic", questions, seed=4, arithmetic=0.25),
            studies.reasoned("wrong places", questions, seed=5, place_mm=6.0),
        ],
        "comparison": [fine, of("another draw", studies.sure, box, lesion, seed=7), coronal],
        "repeats": [
            of("unsure", lambda one, rng: studies.noisy(one, rng, 0.2), box, lesion, repeats=5),
            of("sure", lambda one, _: one.truth, box, lesion, repeats=5),
        ],
        "metadata": [of("right for one scanner only", studies.one_scanner, box, lesion), fine],
    }


def main():
    folder = Path(*sys.argv[1:2] or ["docs/figures/analyses"])
    folder.mkdir(parents=True, exist_ok=True)
    for name, runs in gallery().items():
        document = on_paper(chart_svg(dict(charts(analyse(runs)))[name]))
        (folder / f"{name}.svg").write_text(document, encoding="utf-8")
        print(name, len(document))


if __name__ == "__main__":
    main()
