"""Calls the hooks of a PEP 517 build backend, as a build frontend does.

Arguments: MODE BACKEND BACKEND_PATH OUT, where MODE is
  requires-wheel, requires-sdist   write what the backend asks for into OUT/requires.txt
  wheel, sdist                     make that artifact in OUT
  wheel-from-sdist                 make a source archive, unpack it, make the wheel there
BACKEND_PATH is a list separated by colons, often empty. The working directory is the project's.
"""

import sys

# A script given with -c sees the working directory as a place for modules; a frontend's hooks do not.
if sys.path and sys.path[0] == "":
    del sys.path[0]

import importlib
import os
import tarfile
import tempfile


def load(name, paths):
    root = os.path.realpath(os.getcwd())
    inside = []
    for path in paths:
        path = os.path.realpath(os.path.join(root, path))
        if os.path.commonpath([root, path]) != root:
            sys.exit("backend-path leads out of the project: " + path)
        inside.append(path)
    sys.path[:0] = inside
    module, _, attributes = name.partition(":")
    backend = importlib.import_module(module)
    for attribute in filter(None, attributes.split(".")):
        backend = getattr(backend, attribute)
    return backend


def requires(backend, kind, out):
    hook = getattr(backend, "get_requires_for_build_" + kind, None)
    wanted = hook() if hook is not None else []
    with open(os.path.join(out, "requires.txt"), "w", encoding="utf-8", newline="\n") as listing:
        for requirement in wanted or []:
            listing.write(str(requirement) + "\n")


def make(backend, kind, out):
    name = getattr(backend, "build_" + kind)(out)
    if os.path.basename(name) != name or not os.path.isfile(os.path.join(out, name)):
        sys.exit("the backend made no file of the name that it returned: " + repr(name))
    return name


def unpack(archive, directory):
    with tarfile.open(archive) as tar:
        if hasattr(tarfile, "data_filter"):
            tar.extractall(directory, filter="data")
        else:
            tar.extractall(directory)
    (top,) = os.listdir(directory)
    return os.path.join(directory, top)


def in_child(work):
    """Runs work in a process of its own: hooks leave state behind in modules."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except SystemExit as end:
            if end.code is not None:
                print(end.code, file=sys.stderr)
            code = 0 if end.code is None else 1
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if status != 0:
        sys.exit("the source archive could not be made")


def main():
    mode, name, paths, out = sys.argv[1:]
    paths = [path for path in paths.split(":") if path]
    # What an activated environment offers: backends start their own programs by name.
    os.environ["PATH"] = os.pathsep.join([os.path.join(sys.prefix, "bin"), os.environ.get("PATH", "")])
    if mode.startswith("requires-"):
        requires(load(name, paths), mode[len("requires-"):], out)
    elif mode in ("wheel", "sdist"):
        print(make(load(name, paths), mode, out))
    elif mode == "wheel-from-sdist":
        first = tempfile.mkdtemp()
        in_child(lambda: make(load(name, paths), "sdist", first))
        (archive,) = os.listdir(first)
        os.chdir(unpack(os.path.join(first, archive), tempfile.mkdtemp()))
        print(make(load(name, paths), "wheel", out))
    else:
        sys.exit("unknown mode " + mode)


main()
