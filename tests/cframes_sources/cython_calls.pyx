# cython: language_level=3
"""Cython functions that call back."""


def loop(callback, int number):
    cdef long total = 0
    cdef int n
    for n in range(number):
        total += callback(n)
    return total


cdef object inner(object callback, int depth):
    if depth == 0:
        return callback("bottom")
    try:
        return inner(callback, depth - 1)
    finally:
        callback(depth)


def nested(callback, int depth):
    return inner(callback, depth)


def handling(callback):
    try:
        callback(1)
        raise ValueError("from Cython")
    except ValueError as error:
        return str(error), callback(2)


def numbers(callback, int number):
    for n in range(number):
        yield callback(n)


cdef class Box:
    cdef object callback
    cdef public object kept

    def __init__(self, callback):
        self.callback = callback
        self.kept = callback("init")

    def __getitem__(self, key):
        return self.callback(key)

    def __add__(self, other):
        return self.callback("add") if isinstance(self, Box) else NotImplemented

    @property
    def slow(self):
        return self.callback("property")
