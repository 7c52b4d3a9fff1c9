"""Small Parquet files as pyarrow writes them, with the rows that they hold."""

import base64
import io

import pyarrow as pa
import pyarrow.parquet as pq

ROWS = [
    ("Once there was a fox.", [1, 2, 3]),
    ("", []),
    ("naïve café, 日本語, 🦊\nsecond line\ttab", [70000, 0]),
    ("Once there was a fox.", [2147483647]),
    ("the end " * 40, list(range(50))),
    ('"quoted", {"json": true}', [5]),
    ("a", [6, 7]),
]


def table(ids: pa.DataType) -> pa.Table:
    texts, lists = zip(*ROWS)
    return pa.table(
        {
            "id": pa.array(range(len(ROWS)), pa.int64()),
            "text": pa.array(texts, pa.string()),
            "input_ids": pa.array(lists, pa.list_(ids)),
        }
    )


def written(codec: str, ids: pa.DataType, group: int, version: str, dictionary: bool) -> str:
    sink = io.BytesIO()
    pq.write_table(
        table(ids),
        sink,
        compression=codec,
        row_group_size=group,
        data_page_version=version,
        use_dictionary=dictionary,
        store_schema=False,
    )
    return base64.b64encode(sink.getvalue()).decode()


def goldens() -> dict:
    kinds = [
        ("zstd", pa.int32(), 3, "1.0", True),
        ("snappy", pa.int64(), 2, "2.0", False),
        ("gzip", pa.int32(), 7, "1.0", False),
        ("brotli", pa.int32(), 4, "2.0", True),
        ("lz4", pa.int64(), 7, "1.0", True),
        ("none", pa.int32(), 1, "1.0", True),
    ]
    return {
        "pyarrow": pa.__version__,
        "rows": [{"text": text, "input_ids": ids} for text, ids in ROWS],
        "files": [{"codec": kind[0], "groups": -(-len(ROWS) // kind[2]), "base64": written(*kind)} for kind in kinds],
    }
