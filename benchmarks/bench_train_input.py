"""Input pipeline of training: pictures rendered, examples made, memory over many samples.

Run with the extra `train`: python -m benchmarks.bench_train_input [--samples N]. Everything goes
through `torch.utils.data.DataLoader` with two worker processes, as in training.
"""

import argparse
import importlib.util
import json
import os
import platform
import tempfile
import time
from pathlib import Path

import nibabel as nib
import numpy as np

N_WORKERS = 2
BATCH_SIZE = 16
SIDE_PX = 448
N_SLICES = 64
N_CASES = 6
TARGET_PER_S = 200
TARGET_SHARE = 0.6


def write_tables(folder):
    """Six CT-like volumes of 448×448×64 voxels with a box and an ellipsoid, and their tables."""
    from medvision.cli import main

    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    affine = np.diag([0.8, 0.8, 2.0, 1.0])
    i, j, k = np.ogrid[:SIDE_PX, :SIDE_PX, :N_SLICES]
    for number in range(N_CASES):
        rng = np.random.default_rng(number)
        x, y = rng.integers(120, 320, size=2)
        labels = np.zeros((SIDE_PX, SIDE_PX, N_SLICES), np.uint8)
        labels[40:100, 60:140] = 1
        labels[((i - x) / 40) ** 2 + ((j - y) / 60) ** 2 + ((k - 32) / 40) ** 2 <= 1] = 2
        image = (labels * 80 + rng.normal(0, 20, labels.shape)).astype(np.int16)
        nib.save(nib.Nifti1Image(image, affine), folder / "images" / f"c{number}.nii.gz")
        nib.save(nib.Nifti1Image(labels, affine), folder / "masks" / f"c{number}.nii.gz")
    (folder / "labels.json").write_text(json.dumps({"1": "liver", "2": "liver tumor"}))
    words = ["build", "--images", folder / "images", "--masks", folder / "masks"]
    words += ["--labels", folder / "labels.json", "--name", "bench", "--modality", "CT"]
    words += ["--target-labels", "2", "--out", folder / "tables"]
    if main([str(word) for word in words]):
        raise RuntimeError(folder)
    return folder / "tables"


def training_rows(tables, count):
    """Samples of axial slices of the train split, and `count` rows in the order of training."""
    from medvision.samples.select import select_samples, table_folders
    from medvision.samples.suite import Suite, TaskConfig
    from medvision.tasks import Task
    from medvision.train.mixing import training_order

    configs = tuple(TaskConfig(task=task, planes=("axial",)) for task in Task if task != "ad")
    suite = Suite(name="bench", configs=configs, cap_per_config=None)
    samples = select_samples(suite, table_folders([tables]), split="train").table
    epochs = -(-count // len(samples))
    settings = {"temperature": 1.0, "total": 0, "epochs": epochs, "in_flight": 4, "seed": 1}
    samples, rows = training_order([samples], **settings)
    return samples, rows[:count]


def processor_and_chat(folder, samples):
    """Qwen2.5-VL's image processor at 448×448, a byte-level tokenizer, and the chat form."""
    from examples.from_scratch import tiny_models
    from medvision.train.base_model import load_chat
    from medvision.train.config import ModelConfig

    size = tiny_models.Size(side_px=SIDE_PX, vocabulary=2000)
    base = tiny_models.qwen(samples["name"].to_pylist(), folder / "base", size)
    config = ModelConfig(base=str(base), family="qwen2_5_vl")
    return load_chat(config)


class Rendered:
    """Pictures alone."""

    def __init__(self, examples, rows):
        self.examples, self.rows = examples, rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, place):
        picture = self.examples.picture(self.examples.sample(int(self.rows[place])))
        if picture.size != (SIDE_PX, SIDE_PX):
            raise ValueError(picture.size)
        return 1


class Processed:
    """A picture that lies in memory, through the image processor: nothing of ours."""

    def __init__(self, processor, picture, count):
        self.processor, self.picture, self.count = processor, picture, count

    def __len__(self):
        return self.count

    def __getitem__(self, place):
        return self.processor(images=[self.picture], return_tensors="pt")["pixel_values"]


def per_s(dataset, collate=None):
    """Items a second over the whole of it, start of the workers and reading of volumes included."""
    from torch.utils.data import DataLoader

    start_s = time.perf_counter()
    for _ in DataLoader(
        dataset, batch_size=BATCH_SIZE, num_workers=N_WORKERS, collate_fn=collate or list
    ):
        pass
    return len(dataset) / (time.perf_counter() - start_s)


def rss_mb(process_ids):
    total = 0
    for process_id in process_ids:
        fields = Path(f"/proc/{process_id}/statm").read_text("utf-8").split()
        pages, shared = map(int, fields[1:3])
        total += (pages - shared) * os.sysconf("SC_PAGE_SIZE")
    return total / 2**20


def memory_over(dataset, collate, marks):
    """Unshared memory of this process and its workers, in MiB, when so many samples are done."""
    import multiprocessing

    from torch.utils.data import DataLoader

    loader = DataLoader(dataset, batch_size=BATCH_SIZE, num_workers=N_WORKERS, collate_fn=collate)
    found, done = {}, 0
    for batch in loader:
        done += len(batch["input_ids"])
        while marks and done >= marks[0]:
            ids = [os.getpid(), *(child.pid for child in multiprocessing.active_children())]
            found[marks.pop(0)] = rss_mb(ids)
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=10_000, help="for the memory run")
    parser.add_argument("--timed", type=int, default=1_600, help="for each timed run")
    args = parser.parse_args()
    if importlib.util.find_spec("trl") is None:
        print("skipped: needs the extra `train`")
        return
    import torch
    from datasets import Dataset

    from medvision.pictures.view import PictureFamily
    from medvision.replies import Style
    from medvision.train.collate import Collator, ExampleTransform
    from medvision.train.examples import Examples

    torch.set_num_threads(1)
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        samples, rows = training_rows(write_tables(folder), max(args.samples, args.timed))
        chat = processor_and_chat(folder, samples)
        family = PictureFamily(name="qwen2_5_vl", limits={"max_pixels": SIDE_PX**2})
        examples = Examples(samples, Style.DIRECT, family, n_volumes=4)
        timed = rows[: args.timed]
        rendered = per_s(Rendered(examples, timed))
        print(f"rendered {SIDE_PX}×{SIDE_PX} pictures a second: {rendered:.0f} ({TARGET_PER_S})")
        picture = examples.picture(examples.sample(0))
        transform = ExampleTransform(examples, chat)
        collator = Collator(chat, 4096)
        whole = Dataset.from_dict({"row": timed}).with_transform(transform)
        alone, ours = [], []
        for _ in range(2):
            alone.append(per_s(Processed(chat.processor.image_processor, picture, len(timed))))
            ours.append(per_s(whole, collator))
        share = max(ours) / max(alone)
        print(f"image processor alone: {max(alone):.0f} a second ({alone[0]:.0f}, {alone[1]:.0f})")
        print(f"rendered, processed, tokenized: {max(ours):.0f} ({ours[0]:.0f}, {ours[1]:.0f})")
        print(f"share: {share:.2f} ({TARGET_SHARE})")
        everything = Dataset.from_dict({"row": rows[: args.samples]}).with_transform(transform)
        marks = [n for n in (1000, 2500, 5000, 7500, 10_000) if n <= args.samples]
        for done, used in memory_over(everything, collator, marks).items():
            print(f"memory after {done} samples: {used:.0f} MiB")


if __name__ == "__main__":
    main()
