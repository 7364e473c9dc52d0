"""Calibration: what decided pairs say about how far the model is to be believed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from sync.dedup.scoring.model import Model, believed

# How strongly the two numbers are held where they are: as by about so many decisions.
_HOLD_SLOPE, _HOLD_INTERCEPT = 60.0, 10.0
_STEPS = 50


def calibrate(model: Model, decided: Sequence[tuple[float, bool]]) -> Model:
    """The model with slope and intercept fitted to decided pairs (weight, whether they were one person).

    Logistic regression with a prior around slope 1 and intercept 0, so that few or one-sided decisions move little;
    none leave the model as it would be without. Platt scaling, as J. Platt described it in 1999.
    """
    slope, intercept = 1.0, 0.0
    scale = math.log(2)
    for _ in range(_STEPS):
        # Newton's method on the penalised likelihood, in two dimensions.
        g0, g1 = _HOLD_SLOPE * (1 - slope), _HOLD_INTERCEPT * (0 - intercept)
        h00, h01, h11 = _HOLD_SLOPE, 0.0, _HOLD_INTERCEPT
        for weight, same in decided:
            x = believed(weight) * scale
            z = max(-30.0, min(30.0, slope * x + intercept * scale))
            p = 1 / (1 + math.exp(-z))
            residual, spread = (1.0 if same else 0.0) - p, p * (1 - p)
            g0, g1 = g0 + residual * x, g1 + residual * scale
            h00, h01, h11 = h00 + spread * x * x, h01 + spread * x * scale, h11 + spread * scale * scale
        determinant = h00 * h11 - h01 * h01
        step0, step1 = (h11 * g0 - h01 * g1) / determinant, (h00 * g1 - h01 * g0) / determinant
        slope, intercept = max(0.2, slope + step0), intercept + step1
        if abs(step0) + abs(step1) < 1e-9:
            break
    return replace(model, slope=slope, intercept=intercept)
