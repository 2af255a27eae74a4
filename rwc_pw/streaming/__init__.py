"""The converters and the pipeline that feeds them."""

from rwc_pw.streaming.backend import ConversionBackend, IdentityBackend
from rwc_pw.streaming.batch import BatchConverter
from rwc_pw.streaming.buffers import BufferConfig, BufferManager
from rwc_pw.streaming.conversion import create_backend
from rwc_pw.streaming.conversion_config import ConversionConfig
from rwc_pw.streaming.pipeline import PipelineMetrics, StreamingPipeline
from rwc_pw.streaming.streaming import StreamingConverter

__all__ = [
    "BatchConverter",
    "BufferConfig",
    "BufferManager",
    "ConversionBackend",
    "ConversionConfig",
    "IdentityBackend",
    "PipelineMetrics",
    "StreamingConverter",
    "StreamingPipeline",
    "create_backend",
]
