"""Repack a source distribution so that equal contents are equal bytes: ``normalise_sdist.py FILE.tar.gz``.

setuptools writes the build time and the ids of the user into the archive. Here ``SOURCE_DATE_EPOCH`` replaces
the times, the ids become zero, and members are sorted by name.
"""

from __future__ import annotations

import gzip
import io
import os
import sys
import tarfile
from pathlib import Path


def normalised(data: bytes, epoch: int) -> bytes:
    """Return the archive with fixed times, owners and order.

    Parameters
    ----------
    data : bytes
        A gzip-compressed tar archive.
    epoch : int
        Seconds since 1970 for every member.
    """
    unpacked = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as old,
        tarfile.open(fileobj=unpacked, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            member.mtime, member.uid, member.gid, member.uname, member.gname = epoch, 0, 0, "", ""
            member.pax_headers = {}
            new.addfile(member, old.extractfile(member) if member.isreg() else None)
    return gzip.compress(unpacked.getvalue(), mtime=epoch)


def main() -> None:
    for name in sys.argv[1:]:
        path = Path(name)
        path.write_bytes(normalised(path.read_bytes(), int(os.environ["SOURCE_DATE_EPOCH"])))


if __name__ == "__main__":
    main()
