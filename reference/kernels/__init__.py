"""The kernels that take the time (notes 3.4): each as naive loops, as the notes' path, as the fastest known.

`NAIVE`, `NOTES` and `FAST` offer the same five operations, so that one form can be certified and timed
against another; `FFT` offers the two convolutions, and is not exact on integers.
"""

from reference.kernels import convolve, downsample, sigmoid, upsample
from reference.kernels._form import ConvolveFull, ConvolveValid, Downsample, Form, Sigmoid, Upsample

NAIVE = Form(
    Upsample(upsample.naive, downsample.naive),
    Downsample(downsample.naive, upsample.naive),
    ConvolveValid(convolve.valid_naive, convolve.full_naive, convolve.kernel_gradient_naive),
    ConvolveFull(convolve.full_naive, convolve.valid_naive, convolve.kernel_gradient_naive),
    Sigmoid(sigmoid.naive, sigmoid.naive_slope),
)
NOTES = Form(
    Upsample(upsample.notes, downsample.notes),
    Downsample(downsample.notes, upsample.notes),
    ConvolveValid(convolve.valid_notes, convolve.full_notes, convolve.kernel_gradient_notes),
    ConvolveFull(convolve.full_notes, convolve.valid_notes, convolve.kernel_gradient_notes),
    Sigmoid(sigmoid.notes, lambda u: sigmoid.notes_slope(sigmoid.notes(u))),
)
FAST = Form(
    Upsample(upsample.fast, downsample.fast),
    Downsample(downsample.fast, upsample.fast),
    ConvolveValid(
        convolve.valid_fast, convolve.full_fast, convolve.kernel_gradient_fast, convolve.valid_gradients_fast
    ),
    ConvolveFull(convolve.full_fast, convolve.valid_fast, convolve.kernel_gradient_fast),
    Sigmoid(sigmoid.fast, sigmoid.fast_slope),
)
FFT = {
    "convolve_valid": ConvolveValid(convolve.valid_fft, convolve.full_fft, convolve.kernel_gradient_fft),
    "convolve_full": ConvolveFull(convolve.full_fft, convolve.valid_fft, convolve.kernel_gradient_fft),
}
CONTENDERS = {"naive": NAIVE, "notes": NOTES, "fast": FAST, "fft": FFT}
"""The forms by the names under which they are raced; the first is the baseline."""

__all__ = [
    "CONTENDERS",
    "FAST",
    "FFT",
    "NAIVE",
    "NOTES",
    "Form",
    "convolve",
    "downsample",
    "sigmoid",
    "upsample",
]
