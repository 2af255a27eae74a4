"""The converters and the pipeline that feeds them."""

from rwc_pw.conversion.backend import ConversionBackend, IdentityBackend
from rwc_pw.conversion.config import ConversionConfig
from rwc_pw.conversion.create import create_backend
from rwc_pw.conversion.rvc_batch import BatchConverter
from rwc_pw.conversion.rvc_streaming import StreamingConverter
from rwc_pw.streaming.buffers import BufferConfig, BufferManager
from rwc_pw.streaming.pipeline import PipelineMetrics, StreamingPipeline

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
