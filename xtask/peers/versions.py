"""Prints the installed versions of packages as one JSON object; those that are missing are left out.

    python versions.py PACKAGE...
"""

import json
import sys
from importlib import metadata

found = {"python": sys.version.split()[0]}
for package in sys.argv[1:]:
    try:
        found[package] = metadata.version(package)
    except metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
