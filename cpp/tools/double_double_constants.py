"""Print the tables of cpp/include/flowscape/extended/constants.hpp; needs mpmath.

python cpp/tools/double_double_constants.py > cpp/include/flowscape/extended/constants.hpp
"""

from mpmath import mp, mpf

mp.prec = 400
FACTORIALS = 31


def parts(value, count):
    """`value` as a sum of `count` doubles, each the rounded remainder."""
    result = []
    for _ in range(count):
        result.append(float(value))
        value -= mpf(result[-1])
    return result


def pair(value):
    return "{" + ", ".join(part.hex() for part in parts(value, 2)) + "}"


def array(name, value, count):
    numbers = ", ".join(part.hex() for part in parts(value, count))
    return f"inline constexpr double {name}[] = {{{numbers}}};"


def constant(name, value):
    return f"inline constexpr DoubleDouble {name}{pair(value)};"


print("// Constants of the extended functions, written by cpp/tools/double_double_constants.py.")
print("#pragma once\n")
print('#include "flowscape/extended/double_double.hpp"\n')
print("namespace flowscape::extended {\n")
print("/// Sums of doubles that never overlap: ln(2) and pi/2 far beyond 31 digits.")
print(array("kLn2", mp.log(2), 3))
print(array("kHalfPi", mp.pi / 2, 4))
print()
print(constant("kInverseSqrtPi", 1 / mp.sqrt(mp.pi)))
print(constant("kInverseSqrt2Pi", 1 / mp.sqrt(2 * mp.pi)))
print(constant("kSqrtHalf", mp.sqrt(mpf(1) / 2)))
print(f"\n/// 1 / k! for k = 0, ..., {FACTORIALS - 1}.")
print("inline constexpr DoubleDouble kInverseFactorial[] = {")
for k in range(FACTORIALS):
    print(f"    {pair(1 / mp.factorial(k))},")
print("};\n\n}  // namespace flowscape::extended")
