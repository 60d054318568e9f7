"""The sidebar app as a zip: deterministic, so that a rebuilt package can be compared with the uploaded one."""

from __future__ import annotations

import zipfile
from pathlib import Path

from connectors.errors import ConfigError

APP_FOLDER = Path(__file__).parent / "zendesk_app"
# The earliest time a zip can hold; a real one would differ from build to build.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def write_package(output: Path) -> int:
    """Writes the app's files to a zip, sorted; returns how many.

    Raises:
        ConfigError: The zip cannot be written there.
    """
    try:
        return _write(output)
    except OSError as error:
        raise ConfigError(f"cannot write {output}: {error.strerror}", hint="name another file by --output") from error


def _write(output: Path) -> int:
    files = sorted(path for path in APP_FOLDER.rglob("*") if path.is_file())
    partial = output.with_name(output.name + ".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as package:
        for path in files:
            entry = zipfile.ZipInfo(path.relative_to(APP_FOLDER).as_posix(), _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            package.writestr(entry, path.read_bytes())
    partial.replace(output)
    return len(files)
