"""Compiles the contract from its sources, as a Python client of this service does, and makes it importable."""

import atexit
import pathlib
import shutil
import sys
import tempfile

import grpc_tools
from grpc_tools import protoc

ROOT = pathlib.Path(__file__).resolve().parents[3]
OWN = ROOT / "proto"
THIRD_PARTY = ROOT / "third_party" / "proto"


def compile_contract() -> None:
    """Generates into a directory that is removed at exit. google.rpc comes from googleapis-common-protos."""
    out = tempfile.mkdtemp(prefix="charge-python-")
    atexit.register(shutil.rmtree, out, ignore_errors=True)
    sources = [str(path.relative_to(OWN)) for path in sorted(OWN.rglob("*.proto"))]
    status = protoc.main(
        [
            "protoc",
            f"-I{OWN}",
            f"-I{THIRD_PARTY}",
            f"-I{pathlib.Path(grpc_tools.__file__).parent / '_proto'}",
            f"--python_out={out}",
            f"--grpc_python_out={out}",
            *sources,
            "buf/validate/validate.proto",
        ]
    )
    if status != 0:
        raise RuntimeError(f"protoc ended with {status}")
    sys.path.insert(0, out)
