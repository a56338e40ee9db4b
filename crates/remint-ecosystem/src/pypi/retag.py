"""Gives the wheel in a folder the platform tags that it was published with, as auditwheel and delocate do.

Arguments: OUT PLATFORMS, where PLATFORMS is the last part of a wheel's name. Only wheels that were built for one
platform are touched; one for any platform stays what it is. Every entry keeps its place, its time and its mode.
"""

import base64
import hashlib
import os
import sys
import zipfile


def retagged(content, platforms):
    lines = []
    for line in content.decode("utf-8").split("\n"):
        name, _, value = line.partition(":")
        parts = value.strip().split("-")
        if name == "Tag" and len(parts) == 3 and parts[2] != "any":
            lines.extend("Tag: %s-%s-%s" % (parts[0], parts[1], platform) for platform in platforms)
        else:
            lines.append(line)
    return "\n".join(lines).encode("utf-8")


def listed(record, name, content):
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode("ascii")
    lines = []
    for line in record.decode("utf-8").split("\n"):
        end = "\r" if line.endswith("\r") else ""
        if line.rsplit(",", 2)[0] == name:
            line = "%s,sha256=%s,%d%s" % (name, digest, len(content), end)
        lines.append(line)
    return "\n".join(lines).encode("utf-8")


def main():
    out, platforms = sys.argv[1:]
    (old,) = [name for name in os.listdir(out) if name.endswith(".whl")]
    stem, _, platform = old[: -len(".whl")].rpartition("-")
    if platform == "any" or platform == platforms:
        return
    old = os.path.join(out, old)
    new = os.path.join(out, "retagged")
    with zipfile.ZipFile(old) as source:
        entries = [(entry, source.read(entry)) for entry in source.infolist()]
    (wheel,) = [entry.filename for entry, _ in entries if entry.filename.endswith(".dist-info/WHEEL")]
    tags = retagged(dict((entry.filename, content) for entry, content in entries)[wheel], platforms.split("."))
    with zipfile.ZipFile(new, "w") as target:
        for entry, content in entries:
            if entry.filename == wheel:
                content = tags
            elif entry.filename.endswith(".dist-info/RECORD"):
                content = listed(content, wheel, tags)
            target.writestr(entry, content, entry.compress_type)
    os.remove(old)
    os.rename(new, os.path.join(out, "%s-%s.whl" % (stem, platforms)))


main()
