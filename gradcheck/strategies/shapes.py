"""Shapes of layers with their consequences: sizes of outputs that follow, and sides that divide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from gradcheck.strategies.drawing import Draw, Strategy, one_of, sizes

Pair = tuple[int, int]


@dataclass(frozen=True)
class DenseShape:
    """Sizes of a fully connected layer; N patterns of D inputs, K units.

    Examples
    --------
    >>> shape = DenseShape(patterns_count=2, inputs=3, units=4)
    >>> shape.patterns, shape.weights, shape.biases, shape.output
    ((2, 3), (4, 3), (4,), (2, 4))
    """

    patterns_count: int
    inputs: int
    units: int

    @property
    def patterns(self) -> Pair:
        """(N, D)."""
        return self.patterns_count, self.inputs

    @property
    def weights(self) -> Pair:
        """(K, D)."""
        return self.units, self.inputs

    @property
    def biases(self) -> tuple[int]:
        """(K,)."""
        return (self.units,)

    @property
    def output(self) -> Pair:
        """(N, K)."""
        return self.patterns_count, self.units


@dataclass(frozen=True)
class ConvolutionShape:
    """Sizes of a convolution of N patterns, from I to J maps, and the side of its output.

    Parameters
    ----------
    patterns, in_maps, out_maps : int
        N, I, J.
    side, kernel : (int, int)
        Height and width of the maps, and of the kernels.
    stride, padding, dilation : (int, int)
        Down and across; zeros are added on both ends.

    Examples
    --------
    >>> shape = ConvolutionShape(2, 3, 4, side=(6, 5), kernel=(3, 2), stride=(2, 1))
    >>> shape.maps, shape.kernels, shape.output
    ((2, 3, 6, 5), (3, 4, 3, 2), (2, 4, 2, 4))
    """

    patterns: int
    in_maps: int
    out_maps: int
    side: Pair
    kernel: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)

    @property
    def maps(self) -> tuple[int, int, int, int]:
        """(N, I, H, W)."""
        return self.patterns, self.in_maps, *self.side

    @property
    def kernels(self) -> tuple[int, int, int, int]:
        """(I, J, Kh, Kw), as the notes have it; most libraries want (J, I, Kh, Kw), `kernels_out_first`."""
        return self.in_maps, self.out_maps, *self.kernel

    @property
    def kernels_out_first(self) -> tuple[int, int, int, int]:
        """(J, I, Kh, Kw)."""
        return self.out_maps, self.in_maps, *self.kernel

    @property
    def biases(self) -> tuple[int]:
        """(J,)."""
        return (self.out_maps,)

    @property
    def output_side(self) -> Pair:
        """floor((side + 2 padding − dilation (kernel − 1) − 1) / stride) + 1, down and across."""
        return self._length(0), self._length(1)

    @property
    def output(self) -> tuple[int, int, int, int]:
        """(N, J, output height, output width)."""
        return self.patterns, self.out_maps, *self.output_side

    @property
    def unread(self) -> Pair:
        """Rows and columns at the end that no step of the kernel reaches, whose gradient is zero."""
        return self._rest(0) % self.stride[0], self._rest(1) % self.stride[1]

    def _rest(self, axis: int) -> int:
        reach = self.dilation[axis] * (self.kernel[axis] - 1) + 1
        return self.side[axis] + 2 * self.padding[axis] - reach

    def _length(self, axis: int) -> int:
        return self._rest(axis) // self.stride[axis] + 1


@dataclass(frozen=True)
class PoolingShape:
    """Sizes of a pooling whose windows divide the maps: side = window ∘ output side.

    Examples
    --------
    >>> shape = PoolingShape(2, 3, window=(2, 3), output_side=(4, 1))
    >>> shape.maps, shape.output, shape.windows
    ((2, 3, 8, 3), (2, 3, 4, 1), (2, 3, 4, 2, 1, 3))
    """

    patterns: int
    maps_count: int
    window: Pair
    output_side: Pair

    @property
    def side(self) -> Pair:
        """Height and width of the maps."""
        return self.window[0] * self.output_side[0], self.window[1] * self.output_side[1]

    @property
    def maps(self) -> tuple[int, int, int, int]:
        """(N, J, H, W)."""
        return self.patterns, self.maps_count, *self.side

    @property
    def output(self) -> tuple[int, int, int, int]:
        """(N, J, H / window height, W / window width)."""
        return self.patterns, self.maps_count, *self.output_side

    @property
    def windows(self) -> tuple[int, int, int, int, int, int]:
        """(N, J, h, window height, w, window width): the maps reshaped so that axes 3 and 5 are windows."""
        (rows, columns), (height, width) = self.window, self.output_side
        return self.patterns, self.maps_count, height, rows, width, columns


def dense_shapes(*, patterns: int = 4, inputs: int = 6, units: int = 5) -> Strategy[DenseShape]:
    """Shapes of dense layers, up to these sizes, from one of each.

    Raises
    ------
    ValueError
        For a size outside of 1 … 99.
    """
    return st.builds(DenseShape, sizes(1, patterns), sizes(1, inputs), sizes(1, units))


def convolution_shapes(
    *,
    patterns: int = 3,
    maps: int = 3,
    kernel: int = 3,
    output: int = 3,
    strides: Sequence[int] = (1,),
    dilations: Sequence[int] = (1,),
    padded: bool = False,
) -> Strategy[ConvolutionShape]:
    """Shapes of convolutions, the side of the maps made from the output's, so that none is empty.

    Kernels of 1×1 and as large as the map, one map, one pattern and sides that are not square come up by
    themselves; with strides above 1 so do rows and columns that no step reaches.

    Parameters
    ----------
    patterns, maps, kernel, output : int
        Largest number of patterns and maps, and largest sides.
    strides, dilations : sequence of int
        To choose from, down and across by themselves; shrinks towards the first.
    padded : bool
        Whether to pad, by up to half the reach of the kernel ("same").

    Raises
    ------
    ValueError
        For a size outside of 1 … 99.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(convolution_shapes(strides=(1, 2)))
    ... def test_output_is_not_empty(shape):
    ...     assert min(shape.output) >= 1
    >>> test_output_is_not_empty()
    """

    @st.composite
    def build(draw: Draw) -> ConvolutionShape:
        lines = [_line(draw, kernel, output, strides, dilations, padded) for _ in range(2)]
        side, kernels, stride, padding, dilation = (
            (down, across) for down, across in zip(*lines, strict=True)
        )
        counts = draw(sizes(1, patterns)), draw(sizes(1, maps)), draw(sizes(1, maps))
        return ConvolutionShape(*counts, side, kernels, stride, padding, dilation)

    return build()


def _line(
    draw: Draw, kernel: int, output: int, strides: Sequence[int], dilations: Sequence[int], padded: bool
) -> tuple[int, int, int, int, int]:
    """Side, kernel, stride, padding and dilation along one axis."""
    length, taps = draw(sizes(1, output)), draw(sizes(1, kernel))
    stride, dilation = draw(one_of(*strides)), draw(one_of(*dilations))
    reach = dilation * (taps - 1) + 1
    # not more than half the reach: the maps then keep at least one row of their own
    padding = draw(sizes(0, (reach - 1) // 2)) if padded else 0
    unread = draw(sizes(0, stride - 1))
    return (length - 1) * stride + reach - 2 * padding + unread, taps, stride, padding, dilation


def pooling_shapes(
    *, patterns: int = 3, maps: int = 3, window: int = 4, output: int = 3, square: bool = False
) -> Strategy[PoolingShape]:
    """Shapes of poolings whose windows divide the maps; with `square` windows n×n, as the notes have them.

    Parameters
    ----------
    patterns, maps, window, output : int
        Largest number of patterns and maps, and largest sides.

    Raises
    ------
    ValueError
        For a size outside of 1 … 99.
    """
    side = sizes(1, window)
    windows = side.map(lambda n: (n, n)) if square else st.tuples(side, side)
    outputs = st.tuples(sizes(1, output), sizes(1, output))
    return st.builds(PoolingShape, sizes(1, patterns), sizes(1, maps), windows, outputs)
