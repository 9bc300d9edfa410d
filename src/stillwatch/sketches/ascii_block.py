"""Sixty-four bytes at a time: fold them and say, as bit masks, what each of them is.

Takes a place in the raw bytes and a place in the folded ones. Gives five masks, bit i for byte i. Written as vector
instructions of LLVM that do not name a processor, so that the same masks come from AVX-512, AVX2, SSE2 and NEON. The
masks mean nothing unless all bytes are ASCII, which the first mask says.
"""

from __future__ import annotations

from typing import Any, Final

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

BLOCK: Final = 64
"""Bytes of a block."""


@intrinsic
def fold_block(typing_context: Any, data: Any, position: Any, folded: Any, out: Any) -> Any:  # noqa: ARG001 - numba's form
    """Write the folded form of 64 bytes; return masks: beyond ASCII, space, letter, digit, special character."""
    signature = types.UniTuple(types.uint64, 5)(data, types.int64, folded, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte, mask = ir.IntType(8), ir.IntType(64)
        vector = ir.VectorType(byte, BLOCK)

        def every(value: int) -> Any:
            return ir.Constant(vector, [value] * BLOCK)

        def place(array: int, index: int) -> Any:
            fields = context.make_array(signature.args[array])(context, builder, arguments[array])
            first = builder.bitcast(fields.data, byte.as_pointer())
            return builder.bitcast(builder.gep(first, [arguments[index]]), vector.as_pointer())

        def within(values: Any, first: str, last: str) -> Any:
            distance = builder.sub(values, every(ord(first)))
            return builder.icmp_unsigned("<=", distance, every(ord(last) - ord(first)))

        def equal(values: Any, character: str) -> Any:
            return builder.icmp_unsigned("==", values, every(ord(character)))

        def either(*conditions: Any) -> Any:
            joined = conditions[0]
            for condition in conditions[1:]:
                joined = builder.or_(joined, condition)
            return joined

        raw = builder.load(place(0, 1), align=1)
        beyond = builder.icmp_unsigned(">=", raw, every(0x80))
        space = either(builder.icmp_unsigned("<=", raw, every(0x20)), equal(raw, "\x7f"))
        small = builder.or_(raw, every(0x20))
        letter = within(small, "a", "z")
        digit = within(raw, "0", "9")
        # With the bit 0x20 set, [ is {, ] is } and @ is the grave accent: all of them are special characters.
        special = either(equal(raw, '"'), equal(raw, ":"), equal(small, "{"), equal(small, "}"), equal(small, "`"))
        lower = builder.select(letter, small, raw)
        builder.store(builder.select(space, every(0x20), lower), place(2, 3), align=1)
        masks = [builder.bitcast(condition, mask) for condition in (beyond, space, letter, digit, special)]
        return context.make_tuple(builder, signature.return_type, masks)

    return signature, generate


@intrinsic
def lowest_bit(typing_context: Any, mask: Any) -> Any:  # noqa: ARG001 - numba's form
    """Return the place of the lowest bit of a mask that is not zero."""
    signature = types.int64(types.uint64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001 - numba's form
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return signature, generate
