"""Where committed suites, records, policies and results lie, in a clone, a wheel or an sdist.

In a clone they lie beside the package. An installed wheel brings the records and makes suites when
they are asked for; policies and results it does not carry: they are looked for in the clone that
the current folder belongs to, or in the folder that the environment variable SATEDGE_HOME names.
"""

from __future__ import annotations

import os
from pathlib import Path

#: The package `satedge` itself: code, schemas, studies.
PACKAGE = Path(__file__).resolve().parent


def _is_root(folder: Path) -> bool:
    return (folder / "pyproject.toml").is_file() and (folder / "instances").is_dir()


def find_root() -> Path:
    """The folder that holds `instances` and `results`.

    Falls back on the current folder, so that error messages name a place where a reader can act.
    """
    named = os.environ.get("SATEDGE_HOME")
    if named:
        return Path(named).resolve()
    here = Path.cwd()
    candidates = [PACKAGE.parent, here, *here.parents]
    return next((folder for folder in candidates if _is_root(folder)), here)


#: The package lies in a clone or an unpacked source distribution, and is used from there.
IN_PLACE = _is_root(PACKAGE.parent)

ROOT = find_root()
INSTANCES = ROOT / "instances"
#: Best known values: those of a clone, or the wheel's own.
RECORDS = INSTANCES / "records"
if not RECORDS.is_dir():
    RECORDS = PACKAGE / "bench" / "study" / "data" / "records"
POLICIES = ROOT / "results" / "policies"
PUBLISHED = ROOT / "results" / "paper"
