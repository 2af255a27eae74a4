"""Reads the pickles in PyTorch's files with an interpreter of our own, which imports and calls nothing that they name.

It knows what torch.save writes, and makes dictionaries, lists, tuples, texts, numbers and tensors.
"""

import pickletools
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any

from rwc_pw.voices.tensors import CALLS, DAMAGED, NAMES, BadTorchFileError, Name

RUNS_CODE = "would run code, or make what no voice holds"
MOST_MARKS = 100  # open at once, one in another
LARGEST_KEY = 1 << 31  # of the numbers; a dictionary of greater ones can be made to take hours

Storing = Callable[[object], object]


def read_pickle(stream: BytesIO, storing: Storing) -> object:
    """The object that begins where ``stream`` is, which is left behind it; ``BadTorchFileError`` if that cannot be.

    ``storing`` makes a storage of what the pickle says of it.
    """
    try:
        return _Interpreter(storing).run(stream)
    except BadTorchFileError:
        raise
    except (ValueError, IndexError, KeyError) as error:  # of pickletools and zip(), an empty stack, an unknown memo
        raise BadTorchFileError(DAMAGED) from error


class _Interpreter:
    """A pickle's stack and its memo."""

    def __init__(self, storing: Storing) -> None:
        self._storing = storing
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []
        """The stacks below each mark."""
        self._memo: dict[int, object] = {}

    def run(self, stream: BytesIO) -> object:
        for opcode, argument, _ in pickletools.genops(stream):
            if opcode.name == "STOP":
                break
            if opcode.name not in STEPS:
                raise BadTorchFileError(RUNS_CODE)
            STEPS[opcode.name](self, argument)
        (content,) = self._stack
        return content

    def skip(self, _: object) -> None:
        """Go on: of which protocol it is shows in the opcodes."""

    def push(self, value: object) -> None:
        self._stack.append(value)

    def push_name(self, argument: Any) -> None:
        if argument not in NAMES:
            raise BadTorchFileError(RUNS_CODE)
        self.push(Name(argument))

    def push_known(self, place: Any) -> None:
        self.push(self._memo[place])

    def push_storage(self, _: object) -> None:
        self.push(self._storing(self._stack.pop()))

    def push_result(self, _: object) -> None:
        """Push what one of ``CALLS`` gives."""
        arguments, called = self._stack.pop(), self._stack.pop()
        if type(called) is not Name or called.text not in CALLS:
            raise BadTorchFileError(RUNS_CODE)
        if type(arguments) is not tuple:
            raise BadTorchFileError(DAMAGED)
        self.push(CALLS[called.text](arguments))

    def keep(self, place: Any) -> None:
        self._memo[place] = self._stack[-1]

    def mark(self, _: object) -> None:
        if len(self._below) == MOST_MARKS:
            raise BadTorchFileError(DAMAGED)
        self._below.append(self._stack)
        self._stack = []

    def since_mark(self) -> list[Any]:
        found, self._stack = self._stack, self._below.pop()
        return found

    def push_tuple(self, _: object) -> None:
        self.push(tuple(self.since_mark()))

    def last(self, count: int) -> list[Any]:
        if len(self._stack) < count:
            raise BadTorchFileError(DAMAGED)
        found = self._stack[-count:]
        del self._stack[-count:]
        return found

    def append(self, values: list[Any]) -> None:
        self._top(list).extend(values)

    def set_items(self, keys_and_values: list[Any]) -> None:
        keys, values = keys_and_values[::2], keys_and_values[1::2]
        if not all(map(_is_key, keys)):
            raise BadTorchFileError(DAMAGED)
        self._top(dict).update(zip(keys, values, strict=True))

    def drop_state(self, _: object) -> None:
        """Forget an OrderedDict's attributes, in which torch counts the versions of its modules."""
        self._stack.pop()
        self._top(dict)

    def _top(self, kind: type[Any]) -> Any:
        if type(self._stack[-1]) is not kind:
            raise BadTorchFileError(RUNS_CODE if kind is dict else DAMAGED)
        return self._stack[-1]


def _is_key(value: object) -> bool:
    return type(value) is str or (type(value) is int and abs(value) <= LARGEST_KEY)


STEPS: Mapping[str, Callable[[_Interpreter, Any], None]] = {
    "PROTO": _Interpreter.skip,
    "GLOBAL": _Interpreter.push_name,
    "BINPERSID": _Interpreter.push_storage,
    "REDUCE": _Interpreter.push_result,
    "BUILD": _Interpreter.drop_state,
    "BINPUT": _Interpreter.keep,
    "LONG_BINPUT": _Interpreter.keep,
    "BINGET": _Interpreter.push_known,
    "LONG_BINGET": _Interpreter.push_known,
    "MARK": _Interpreter.mark,
    "TUPLE": _Interpreter.push_tuple,
    "TUPLE1": lambda self, _: self.push(tuple(self.last(1))),
    "TUPLE2": lambda self, _: self.push(tuple(self.last(2))),
    "TUPLE3": lambda self, _: self.push(tuple(self.last(3))),
    "APPEND": lambda self, _: self.append(self.last(1)),
    "APPENDS": lambda self, _: self.append(self.since_mark()),
    "SETITEM": lambda self, _: self.set_items(self.last(2)),
    "SETITEMS": lambda self, _: self.set_items(self.since_mark()),
    "EMPTY_DICT": lambda self, _: self.push({}),
    "EMPTY_LIST": lambda self, _: self.push([]),
    "EMPTY_TUPLE": lambda self, _: self.push(()),
    "NONE": lambda self, _: self.push(None),
    "NEWTRUE": lambda self, _: self.push(True),
    "NEWFALSE": lambda self, _: self.push(False),
    **dict.fromkeys(("BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"), _Interpreter.push),
}
"""Steps of the interpreter for torch.save's opcodes, each with the opcode's argument."""
