"""Every error that a user can fix: one sentence, the next step, and the exit code."""

from dataclasses import dataclass

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_UNAVAILABLE = 69  # EX_UNAVAILABLE of sysexits.h
EXIT_CONFIG = 78  # EX_CONFIG of sysexits.h
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report Ctrl-C


@dataclass(frozen=True)
class Fault:
    """A reason for silence, as a clause without a full stop, and how to fix it."""

    reason: str
    remedy: str = ""


class RwcPwError(Exception):
    """Something failed at run time; ``remedy`` says what to do next."""

    exit_code = EXIT_FAILED

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    @property
    def fault(self) -> Fault:
        """This error as the reason for silence."""
        return Fault(self.message.rstrip("."), self.remedy)


def fault_of(error: Exception) -> Fault:
    """Any error as the reason for silence."""
    if isinstance(error, RwcPwError):
        return error.fault
    if isinstance(error, OSError) and error.strerror and not error.filename:
        return Fault(f"the system refuses: {error.strerror}")
    return Fault(str(error) or type(error).__name__)


class UsageError(RwcPwError):
    """The user asked for something impossible."""

    exit_code = EXIT_USAGE


class UnavailableError(RwcPwError):
    """Something needed is missing, too old or does not answer: PipeWire, the bus, a tool, the extra, the network."""

    exit_code = EXIT_UNAVAILABLE


class NoBusError(UnavailableError):
    """There is no session bus, and therefore no daemon."""


def missing_extra(package: str) -> UnavailableError:
    """The error for an RVC voice where ``package``, part of the extra, is not installed."""
    return UnavailableError(
        f"RVC voices need {package}, which is not installed.",
        'Run `./install.sh --rvc`, or `pip install "rwc-pw[rvc]"`.',
    )


class ConfigError(RwcPwError):
    """The configuration file cannot be used."""

    exit_code = EXIT_CONFIG


class ConversionError(RwcPwError):
    """A converter could not produce sound; the pipeline outputs silence instead."""
