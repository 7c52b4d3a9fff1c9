"""Archives as NumPy writes them, whole, and what is in them."""

import base64
import io

import numpy as np

ROWS = np.arange(6, dtype=np.float32).reshape(2, 3) / 4 - 0.5


def arrays() -> dict[str, np.ndarray]:
    return {
        "half": np.array([1.5, -2.0, 65504.0, 2.0**-24], dtype="<f2"),
        "single": ROWS,
        "double": np.array([[0.1, -1e30]], dtype="<f8"),
        "int": np.array([-(2**31), 7], dtype="<i4"),
        "long": np.array([-5, 2**31 - 1], dtype="<i8"),
        "truth": np.array([True, False, True]),
        "byte": np.array([0, 255], dtype="|u1"),
        "scalar": np.float32(2.5).reshape(()),
        "empty": np.zeros((0, 3), dtype="<f4"),
        "fortran": np.asfortranarray(np.arange(24, dtype="<f4").reshape(2, 3, 4)),
        "many": (np.arange(3000) % 7).astype("<f4").reshape(30, 100),
    }


def stored(x: np.ndarray) -> dict:
    return {"shape": list(x.shape), "values": x.astype(np.float64).ravel().tolist()}


def archive(write, **arrays) -> str:
    buffer = io.BytesIO()
    write(buffer, **arrays)
    return base64.b64encode(buffer.getvalue()).decode()


def one(x: np.ndarray, version: tuple[int, int]) -> str:
    """An archive with one array whose header has another version."""
    import zipfile

    buffer, array = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array(array, x, version=version)
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(zipfile.ZipInfo("x.npy"), array.getvalue())
    return base64.b64encode(buffer.getvalue()).decode()


def goldens() -> dict:
    known = arrays()
    return {
        "numpy": np.__version__,
        "tensors": {name: stored(x) for name, x in known.items()},
        "stored": archive(np.savez, **known),
        "deflated": archive(np.savez_compressed, **known),
        "version2": one(ROWS, (2, 0)),
        "version3": one(ROWS, (3, 0)),
        "objects": archive(np.savez, x=np.array([{"a": 1}], dtype=object)),
        "bigEndian": archive(np.savez, x=ROWS.astype(">f4")),
        "structured": archive(np.savez, x=np.zeros(2, dtype=[("a", "<f4"), ("b", "<i4")])),
        "complex": archive(np.savez, x=np.zeros(2, dtype=np.complex64)),
        "longTooLong": archive(np.savez, x=np.array([0, 2**40], dtype="<i8")),
    }
