"""The "R" of RVC: moves features towards those that the voice was trained on."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rwc_pw.system.extra import load_module
from rwc_pw.voices.index import VoiceIndex

NEIGHBOURS = 8
LEAST_DISTANCE = 1e-12  # for a feature that is itself in the index


class Retrieval:
    """A voice's index, in memory as faiss searches it."""

    def __init__(self, path: Path) -> None:
        """``BadIndexError`` if it cannot be searched; faiss, which would crash, gets only what has been checked."""
        faiss, index = load_module("faiss"), VoiceIndex.read(path)
        self.features: NDArray[np.float32] = np.empty((len(index), index.width), np.float32)
        """All indexed features, (n, width)."""
        list_of = np.empty(len(index), np.int64)
        for number, (vectors, ids) in enumerate(index.lists):
            self.features[ids] = vectors
            list_of[ids] = number
        self._index = faiss.IndexFlatL2(index.width)
        if index.centroids is None:
            self._index.add(self.features)
            return
        self._quantizer = self._index  # the index keeps only a pointer to it
        self._quantizer.add(index.centroids)
        self._index = faiss.IndexIVFFlat(self._quantizer, index.width, len(index.lists))
        self._index.nprobe = index.probes
        pointer = faiss.swig_ptr
        self._index.add_core(len(index), pointer(self.features), None, pointer(list_of))

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
