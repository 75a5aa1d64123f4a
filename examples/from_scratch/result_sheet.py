"""Questions of a run about phantoms, truth and answer drawn on each picture.

Run in the repository: python -m examples.from_scratch.result_sheet RUN SHEET.png
"""

import argparse
from pathlib import Path

from medvision.analysis import png_bytes
from medvision.analysis.drawing import SheetCell, sheet_png, sheet_samples
from medvision.analysis.read_run import read_run
from medvision.pictures.render import SlicePictures
from medvision.samples import samples_from_table

N_CELLS = 12


def result_sheet(run: Path, datasets: str = "phantom") -> bytes:
    """PNG of a dozen questions: structures, planes and tasks take turns, chosen by id alone.

    Args:
        run: Run folder.
        datasets: How the names of the datasets shown begin.
    """
    found = read_run(run)
    values = {row["sample_id"]: row["values"] or () for row in found.scores.to_pylist()}
    shown = [s for s in samples_from_table(found.samples) if s.dataset.startswith(datasets)]
    pictures = SlicePictures()
    return sheet_png(
        [
            SheetCell(
                sample=sample,
                picture_png=png_bytes(pictures.picture(sample)),
                answer=tuple(values[sample.sample_id]),
            )
            for sample in sheet_samples(shown, N_CELLS)
        ]
    )


def main() -> None:
    """As the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("out", type=Path, metavar="SHEET.png")
    args = parser.parse_args()
    args.out.write_bytes(result_sheet(args.run))


if __name__ == "__main__":
    main()
