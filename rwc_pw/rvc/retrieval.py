"""The "R" of RVC: moves features towards those that the voice was trained on."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rwc_pw.extra import load_module

NEIGHBOURS = 8
LEAST_DISTANCE = 1e-12  # for a feature that is itself in the index


class Retrieval:
    """A voice's faiss index, checked when it was imported."""

    def __init__(self, path: Path) -> None:
        self._index = load_module("faiss").read_index(str(path))
        self.features: NDArray[np.float32] = self._index.reconstruct_n(0, self._index.ntotal)
        """All indexed features, (n, width)."""

    def blended(self, features: NDArray[np.float32], rate: float) -> NDArray[np.float32]:
        """(n, width) to (n, width): blend in ``rate`` of the nearest features' mean.

        Their weights are the inverse squared distances, squared, as in RVC-Project's ``pipeline.vc``; a feature for
        which the index finds nothing stays as it is.
        """
        distances, nearest = self._index.search(np.ascontiguousarray(features), NEIGHBOURS)
        weights = np.where(nearest >= 0, 1 / np.maximum(distances, LEAST_DISTANCE) ** 2, 0)
        total = weights.sum(axis=1, keepdims=True)
        mean = np.einsum("nk,nkw->nw", weights / np.maximum(total, np.finfo(np.float32).tiny), self.features[nearest])
        blended = np.where(total > 0, rate * mean + (1 - rate) * features, features)
        return blended.astype(np.float32)
