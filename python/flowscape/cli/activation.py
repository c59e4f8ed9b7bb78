"""Say which theory applies to an activation: class, Assumptions 2.1 and 3.1, enumeration.

NAME is a name such as tanh, or a list of terms as JSON.
"""

from __future__ import annotations

import argparse
from typing import Any

from flowscape.cli.answer import Answer
from flowscape.cli.branches import parse_activation


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("name", metavar="NAME", help="name, or a list of terms as JSON")
    parser.add_argument(
        "--order", type=int, default=60, metavar="N", help="highest Taylor coefficient (60)"
    )


def run(args: argparse.Namespace) -> Answer:
    """Test the assumptions of Local Recovery and say what `branches` knows."""
    from flowscape.problem import Activation
    from flowscape.problem.symmetry import symmetry
    from flowscape.separation.assumptions import generic_activation, rapid_decrease

    activation = Activation.of(parse_activation(args.name))
    generic = generic_activation(activation, args.order)
    decrease = rapid_decrease(activation)
    classes = {str(bias): symmetry(activation, bias).kind.value for bias in (False, True)}
    known = {str(bias): _enumeration(activation, bias) for bias in (False, True)}
    data: dict[str, Any] = {
        "activation": activation.spec(),
        "class": {"without bias": classes["False"], "with bias": classes["True"]},
        "branches": {"without bias": known["False"], "with bias": known["True"]},
        "assumption_2_1": {
            "as printed": generic.holds,
            "with slope at 0": generic.holds_corrected,
            "analytic": generic.analytic,
            "last odd coefficient": generic.last_odd,
            "last even coefficient": generic.last_even,
            "order": args.order,
            "coefficients agree with the class": generic.agree,
        },
        "assumption_3_1": [
            {"s": d.s, "rapid": d.rapid, "asymmetric": d.asymmetric, "ratio": d.ratio}
            for d in decrease
        ],
    }
    good = next((d for d in decrease if d.holds), None)
    rapid = next((d for d in decrease if d.rapid), None)
    if good is not None:
        words = f"holds with s = {good.s} (ratio of the ends {good.ratio:.3g})"
    elif rapid is not None:
        words = f"rapidly decreasing with s = {rapid.s}, but symmetric at the ends"
    else:
        words = f"not rapidly decreasing for s <= {decrease[-1].s}"
    series = (
        f"last non-zero Taylor coefficients up to {args.order}: odd {generic.last_odd}, "
        f"even {generic.last_even}"
        if generic.analytic
        else "it has a kink"
    )
    lines = [
        f"activation: {activation}",
        f"class: {classes['False']} without bias, {classes['True']} with bias",
        f"Assumption 2.1: {_yes(generic.holds)} as printed, {_yes(generic.holds_corrected)} "
        f"with sigma'(0) != 0; {series}",
        f"Assumption 3.1: {words}",
        f"branches without bias: {known['False'] or 'enumerated'}",
        f"branches with bias: {known['True'] or 'enumerated'}",
    ]
    return Answer("\n".join(lines), data)


def _yes(value: bool) -> str:
    return "holds" if value else "fails"


def _enumeration(activation: Any, bias: bool) -> str:
    """Return why branches are not enumerated; empty if they are."""
    from flowscape.branches.enumeration import why_unknown
    from flowscape.problem import TwoLayer

    return why_unknown(TwoLayer(1, 1, activation, bias))
