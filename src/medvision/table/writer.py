"""Writers of table files in bounded memory."""

import contextlib
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from medvision.table.schema import file_schema

ROWS_PER_GROUP = 500_000


class GroupedWriter:
    """Writes rows to one Parquet file, in row groups of `ROWS_PER_GROUP` to twice as many."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        """Start the file; its folder is made."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True)
        self._waiting: list[pa.Table] = []

    def write(self, rows: pa.Table) -> None:
        """Add rows of the schema."""
        self._waiting.append(rows)
        if sum(table.num_rows for table in self._waiting) >= ROWS_PER_GROUP:
            self._flush()

    def close(self, *, complete: bool = True) -> None:
        """Write what is waiting, unless the file is to be thrown away, and end the file."""
        try:
            if complete:
                self._flush()
            self._writer.close()
        except OSError:
            # The library would try again, and say so, when the writer is forgotten.
            self._writer.is_open = False
            if complete:
                raise

    def _flush(self) -> None:
        if self._waiting:
            # Parquet is read a row group at a time: small ones cost a seek each, large ones memory.
            # What the last case has beyond the limit stays in its group: alone it would be tiny.
            rows = pa.concat_tables(self._waiting)
            self._writer.write_table(rows, row_group_size=2 * ROWS_PER_GROUP)
            self._waiting.clear()


class TableWriter:
    """Writes cases' rows to `<name>.parquet`, or by plane and split to `<name>/plane=…/split=…`.

    As Hive has it, partition columns stand in the path and not in the files.
    """

    def __init__(self, folder: Path, name: str, schema: pa.Schema) -> None:
        """Write below `folder`; tables with a plane are partitioned."""
        self.n_rows = 0
        self._is_partitioned = "plane" in schema.names
        self._schema = file_schema(name)
        self._folder = folder / name
        self._writers: dict[tuple[str, str], GroupedWriter] = {}
        if self._is_partitioned:
            self._folder.mkdir()
        else:
            whole = GroupedWriter(folder / f"{name}.parquet", self._schema)
            self._writers[("", "")] = whole

    def __enter__(self) -> "TableWriter":
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.ExitStack() as closing:  # the others too where one cannot be closed
            for writer in self._writers.values():
                closing.callback(writer.close, complete=error[0] is None)

    def write(self, rows: pa.Table, split: str) -> None:
        """Add one case's rows, which take this split."""
        self.n_rows += rows.num_rows
        if not self._is_partitioned:
            place = rows.schema.get_field_index("split")
            splits = pa.repeat(pa.scalar(split), rows.num_rows)
            self._writers[("", "")].write(rows.set_column(place, rows.field(place), splits))
            return
        for plane in rows["plane"].unique().to_pylist():
            part = rows.filter(pc.equal(rows["plane"], plane)).select(self._schema.names)
            if (plane, split) not in self._writers:
                path = self._folder / f"plane={plane}" / f"split={split}" / "part-0.parquet"
                self._writers[(plane, split)] = GroupedWriter(path, self._schema)
            self._writers[(plane, split)].write(part)
