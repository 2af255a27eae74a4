"""Every error that a user can mend: one sentence, the next step, and the exit code."""

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_UNAVAILABLE = 69  # EX_UNAVAILABLE of sysexits.h
EXIT_CONFIG = 78  # EX_CONFIG of sysexits.h
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report Ctrl-C


class RwcPwError(Exception):
    """Something failed at run time; ``remedy`` says what to do next."""

    exit_code = EXIT_FAILED

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class UsageError(RwcPwError):
    """The command line asks for something that cannot be."""

    exit_code = EXIT_USAGE


class UnavailableError(RwcPwError):
    """PipeWire, the session bus or a tool is missing or too old."""

    exit_code = EXIT_UNAVAILABLE


class NoBusError(UnavailableError):
    """There is no session bus, and so no daemon either."""


def missing_extra(package: str) -> UnavailableError:
    """What to tell who asks for an RVC voice where ``package``, of the extra, is not installed."""
    return UnavailableError(
        f"RVC voices need {package}, which is not installed.",
        'Run `./install.sh --rvc`, or `pip install "rwc-pw[rvc]"`.',
    )


class ConfigError(RwcPwError):
    """The configuration file cannot be used."""

    exit_code = EXIT_CONFIG


class ConversionError(RwcPwError):
    """A converter could not produce sound; the pipeline answers it with silence."""
