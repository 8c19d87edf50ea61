"""Builds the wheel with nothing but the standard library (PEP 517): pure Python, so it is the files, the licence and three texts about them."""

import base64
import hashlib
import os
import tarfile
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
NAME, VERSION = "cronium", "0.1.0"
# A wheel of the same files is the same bytes.
DATE = (1980, 1, 1, 0, 0, 0)

METADATA = """Metadata-Version: 2.4
Name: cronium
Version: {version}
Summary: The helpers of a Cronium script: input, output, variables, condition, event and log, wherever the script runs.
License-Expression: MIT
License-File: LICENSE
Requires-Python: >=3.9
Description-Content-Type: text/markdown

{readme}"""

WHEEL = """Wheel-Version: 1.0
Generator: cronium
Root-Is-Purelib: true
Tag: py3-none-any
"""


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    information = "{}-{}.dist-info".format(NAME, VERSION)
    files = {"{}/{}".format(NAME, name): _read(os.path.join(NAME, name)) for name in sorted(_modules())}
    files[information + "/METADATA"] = METADATA.format(version=VERSION, readme=_read("README.md").decode("utf-8")).encode("utf-8")
    files[information + "/WHEEL"] = WHEEL.encode("utf-8")
    files[information + "/licenses/LICENSE"] = _read("LICENSE")
    record = information + "/RECORD"
    rows = ["{},sha256={},{}".format(name, _digest(data), len(data)) for name, data in files.items()]
    files[record] = "\n".join(rows + [record + ",,", ""]).encode("utf-8")
    wheel = "{}-{}-py3-none-any.whl".format(NAME, VERSION)
    with zipfile.ZipFile(os.path.join(wheel_directory, wheel), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return wheel


def build_sdist(sdist_directory, config_settings=None):
    name = "{}-{}".format(NAME, VERSION)
    with tarfile.open(os.path.join(sdist_directory, name + ".tar.gz"), "w:gz") as archive:
        for path in ["pyproject.toml", "build_backend.py", "README.md", "LICENSE"] + [os.path.join(NAME, one) for one in sorted(_modules())]:
            archive.add(os.path.join(HERE, path), os.path.join(name, path))
    return name + ".tar.gz"


def _modules():
    return [name for name in os.listdir(os.path.join(HERE, NAME)) if name.endswith((".py", ".typed"))]


def _read(path):
    with open(os.path.join(HERE, path), "rb") as file:
        return file.read()


def _digest(data):
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


if __name__ == "__main__":
    import sys

    print(build_wheel(sys.argv[1] if len(sys.argv) > 1 else "."))
