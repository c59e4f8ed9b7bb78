"""The family of branches of a student and a target, by the kind of activation."""

from __future__ import annotations

from flowscape.branches.coupled.family import CoupledBranches
from flowscape.branches.exponential.chart import is_exponential
from flowscape.branches.exponential.family import ExponentialBranches
from flowscape.branches.family import Branches
from flowscape.branches.lines.family import LineBranches
from flowscape.branches.lines.target import is_homogeneous
from flowscape.branches.relations import setting_of
from flowscape.errors import ProblemError
from flowscape.problem.network import TwoLayer
from flowscape.problem.teacher import Teacher


def branches(net: TwoLayer, teacher: Teacher) -> Branches:
    r"""Return the branches of :math:`Q^* = \{\theta : f(\theta, \cdot) = f^*\}`.

    Parameters
    ----------
    net : TwoLayer
        The student.
    teacher : Teacher
        The target. Any width; it is reduced first.

    Returns
    -------
    Branches
        Empty, with a `message`, if no network of the student's width is the target.

    Raises
    ------
    ProblemError
        If student and target have other inputs, outputs or activations, or the activation
        obeys relations that the enumeration does not know.

    Notes
    -----
    Local Recovery, section 3.4, extended by signs and by the constant group; proofs in
    ``docs/theory.md``, checks in ``tests/unit/branches/test_components.py``. Odd plus a constant,
    even plus a linear function: ``docs/families.md``. For exponential activations with a bias the
    branches are those without bias, pulled back; for positively homogeneous ones they are sets of
    lines (``docs/families-by-chart.md``).
    """
    if is_exponential(net):
        return ExponentialBranches(net, teacher)
    if is_homogeneous(net):
        return LineBranches(net, teacher)
    setting = setting_of(net)
    return (CoupledBranches if setting.level or setting.slope else Branches)(net, teacher)


def why_unknown(net: TwoLayer) -> str:
    """Return why the branches of a student are not known, whatever its target; "" if they are."""
    if is_exponential(net) or is_homogeneous(net):
        return ""
    try:
        setting_of(net)
    except ProblemError as error:
        return str(error)
    return ""
