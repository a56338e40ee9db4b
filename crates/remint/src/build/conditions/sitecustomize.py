"""Imported by every Python interpreter of a build that is to find other conditions.

Types, identities and whatever is given a time stay as they are; only what would ask the machine is answered otherwise.
"""

CLOCK = @clock@
PROCESSORS = @processors@


def shift_clock():
    import ctypes
    import datetime
    import gc
    import time

    real_time, real_time_ns, real_clock = time.time, time.time_ns, time.clock_gettime
    real_clock_ns = time.clock_gettime_ns
    real_now, real_utcnow = (datetime.datetime.__dict__[name] for name in ("now", "utcnow"))
    ahead = datetime.timedelta(seconds=CLOCK)

    def now(cls, tz=None):
        return real_now.__get__(None, cls)(tz) + ahead

    def utcnow(cls):
        return real_utcnow.__get__(None, cls)() + ahead

    # A subclass in its place would be another type; `today` asks `time.time`.
    members = gc.get_referents(datetime.datetime.__dict__)[0]
    members["now"] = classmethod(now)
    members["utcnow"] = classmethod(utcnow)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(datetime.datetime))

    def shifted():
        return real_time() + CLOCK

    def shifted_ns():
        return real_time_ns() + CLOCK * 1_000_000_000

    def clock_gettime(clock):
        return real_clock(clock) + (CLOCK if clock == time.CLOCK_REALTIME else 0)

    def clock_gettime_ns(clock):
        return real_clock_ns(clock) + (CLOCK * 1_000_000_000 if clock == time.CLOCK_REALTIME else 0)

    def of_seconds(real):
        def call(seconds=None):
            return real(shifted() if seconds is None else seconds)

        call.__name__ = real.__name__
        return call

    def of_parts(real, default):
        def call(*given):
            return real(*given, default()) if len(given) == real_arguments[real] else real(*given)

        call.__name__ = real.__name__
        return call

    real_arguments = {time.strftime: 1, time.asctime: 0}
    localtime = of_seconds(time.localtime)
    strftime = of_parts(time.strftime, localtime)
    asctime = of_parts(time.asctime, localtime)
    time.gmtime, time.ctime = of_seconds(time.gmtime), of_seconds(time.ctime)
    time.localtime, time.strftime, time.asctime = localtime, strftime, asctime
    time.time, time.time_ns = shifted, shifted_ns
    time.clock_gettime, time.clock_gettime_ns = clock_gettime, clock_gettime_ns


def limit_processors():
    import os

    os.cpu_count = lambda: PROCESSORS


# Where this cannot be done, the build finds the machine's own; whoever set it up asks first whether it was done.
try:
    if CLOCK != 0:
        shift_clock()
    if PROCESSORS != 0:
        limit_processors()
except Exception:
    pass
