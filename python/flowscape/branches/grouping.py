"""How a branch groups the neurons: labels, signs and the numbers that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial, prod

from flowscape.branches.constant_group import ConstantGroup
from flowscape.branches.partitions import Blocks
from flowscape.branches.reduce import CONSTANT, FREE, SILENT, Reduced
from flowscape.branches.setting import Setting
from flowscape.branches.shapes import SILENT as SILENT_KIND
from flowscape.branches.shapes import OrbitShape, Variant
from flowscape.errors import OptionError, ProblemError, describe

__all__ = ["Grouping", "check_branch"]


@dataclass(frozen=True, eq=False, repr=False)
class Grouping:
    """A student's neurons put into groups: what is known of a branch without its points.

    Attributes
    ----------
    setting : Setting
        The student.
    target : Reduced
        The target after reduction.
    shape : OrbitShape
        The orbit it belongs to.
    blocks : tuple of tuple of int
        The constant group (may be empty), the labelled groups in order, the free groups.
    signs : tuple of int
        eps_k; +1 in the constant group, and for activations that are neither odd nor even.
    variant : tuple of float
        See `ConstantGroup.variant`.
    orbit, index : int
        Position of the orbit in `Branches.orbits`, of the set in the sequence.
    """

    setting: Setting
    target: Reduced
    shape: OrbitShape
    blocks: Blocks
    signs: tuple[int, ...]
    variant: Variant
    orbit: int
    index: int

    @property
    def r(self) -> int:
        """Number of labelled and free groups; the constant group does not count."""
        return self.shape.r

    @property
    def l(self) -> int:  # noqa: E743
        """Deficient number: free groups of one neuron (their outgoing weight is 0)."""
        return self.shape.l

    @property
    def codim(self) -> int:
        """Number of independent equations.

        Without constant group, output bias and with one output: r + (m + m0 - r) D.
        """
        return self._grouped_codim + self.constant_group.codim(self.shape.constant.size)

    @property
    def _grouped_codim(self) -> int:
        """Number of equations of the labelled and free groups."""
        s, shape = self.setting, self.shape
        rest = s.width - shape.constant.size
        return shape.r * s.outputs + (rest + len(shape.labelled) - shape.r) * s.incoming

    @property
    def dim(self) -> int:
        """P - codim."""
        return self.setting.n_params - self.codim

    @property
    def generic_rank(self) -> int | None:
        """Rank of the Jacobian at generic points, for many separating inputs.

        r + (r - l) D for one output, without output bias and constant group (Local Recovery,
        Corollary 3.4); None where it is not known in closed form.
        """
        s = self.setting
        if s.outputs > 1 or s.output_bias or self.shape.constant.size > 0:
            return None
        return self.r + (self.r - self.l) * s.incoming

    @property
    def separation_size(self) -> int:
        """Sample size from which the branch is separated from all other zeros of the loss.

        The codimension (Local Recovery, Lemma 4.2b). With several outputs it is sufficient
        and may not be necessary, as every sample gives several equations.
        """
        return self.codim

    @property
    def multiplicity(self) -> int:
        """Number of pairs (partition into consecutive blocks, permutation) that give this set.

        (r - m0)! times the product of the factorials of the block sizes: the paper's Q_{P,pi}
        names the same set that often (Local Recovery, Definition 3.3).

        Raises
        ------
        ProblemError
            If the branch has signs or a constant group, which the paper does not know.
        """
        if self.setting.signed or self.blocks[0]:
            raise ProblemError(
                f"the branch {self.name} is outside Local Recovery, Definition 3.3, so it has no "
                "multiplicity; take a branch of a generic activation without constant group"
            )
        sizes = (*self.shape.labelled, *self.shape.free)
        return factorial(len(self.shape.free)) * prod(map(factorial, sizes))

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """Neurons of the labelled groups in order, of the free groups, of the constant group."""
        head = (self.blocks[0],) if self.blocks[0] else ()
        return (*self.blocks[1:], *head)

    @property
    def labels(self) -> tuple[int, ...]:
        """Label of every group: index of the target neuron, FREE, CONSTANT or SILENT."""
        marks = tuple(range(len(self.shape.labelled))) + (FREE,) * len(self.shape.free)
        if not self.blocks[0]:
            return marks
        return (*marks, SILENT if self.shape.constant.kind == SILENT_KIND else CONSTANT)

    @property
    def shares_incoming(self) -> bool:
        """Whether the groups are neurons with equal incoming vectors, up to sign, and bias."""
        return True

    @property
    def is_affine(self) -> bool:
        """Whether the closure is an affine subspace."""
        return self.constant_group.is_affine

    @property
    def kind(self) -> str:
        """Sizes of the groups in words; the same for all branches of an orbit."""
        return self.shape.describe()

    @property
    def name(self) -> str:
        """The groups with their neurons, counted from 1: ``{1,-2}=t1 {3}=free``.

        A minus sign marks a neuron whose weights are flipped.
        """
        words = []
        for group, label in zip(self.groups, self.labels, strict=True):
            inner = ",".join(str((k + 1) * self.signs[k]) for k in group)
            word = {FREE: "free", CONSTANT: "constant", SILENT: "silent"}.get(label)
            words.append(f"{{{inner}}}={word or f't{label + 1}'}")
        return " ".join(words)

    @property
    def constant_group(self) -> ConstantGroup:
        """The constant group; of no neurons where there is none."""
        kind = self.shape.constant.kind
        return ConstantGroup(self.setting, kind, self.variant, self.target.constant)

    def check_affine(self) -> None:
        """Raise a ProblemError if the branch is curved, so that it has no linear equations."""
        if not self.is_affine:
            raise ProblemError(f"the branch {self.name} is curved; use `equations`")

    def __repr__(self) -> str:
        return f"Branch({self.name!r}, dim={self.dim}, codim={self.codim})"


def check_branch(branch: object) -> None:
    """Refuse what is no `Branch`.

    Raises
    ------
    OptionError
        If it is anything else.
    """
    if not isinstance(branch, Grouping):  # the base of all of them, which geometry may import
        raise OptionError(
            f"branch={describe(branch)} must be a Branch; take one of branches(net, teacher)"
        )
