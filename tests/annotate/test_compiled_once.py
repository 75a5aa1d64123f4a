"""Compilation is kept on disk: the second process starts without compiling."""

import json
import os
import subprocess
import sys

CODE = """
import json
import numpy as np
from medvision.annotate import components, extents, label_memory, region_table, shape
label_map = np.zeros((12, 14, 9), np.uint8)
label_map[2:8, 3:9, 1:6] = 1
label_map[8:11, 9:13, 2:8] = 2
region_table(label_map, (1.0, 1.0, 2.0), (2,))
found = [
    value.stats
    for module in (components, extents, label_memory, shape)
    for value in vars(module).values()
    if hasattr(value, "stats") and hasattr(value, "py_func")
]
hits = sum(sum(stats.cache_hits.values()) for stats in found)
misses = sum(sum(stats.cache_misses.values()) for stats in found)
print(json.dumps({"hits": hits, "misses": misses}))
"""


def counted(cache):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return json.loads(done.stdout)


def test_second_process_compiles_nothing(tmp_path):
    first, second = counted(tmp_path), counted(tmp_path)
    assert first["misses"] > 0
    assert second["misses"] == 0
    assert second["hits"] > 0
